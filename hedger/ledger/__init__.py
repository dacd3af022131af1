"""
What was intended, what was proven and what it cost: the one durable memory.

``store`` is the port the rest of the program speaks to, one method one transaction;
``tables`` declares the schema that ``migrations/`` builds; ``sqlite`` holds everything that
another database would do differently. Nothing is imported here, so that reading the file for an
audit does not load SQLAlchemy.
"""
