"""Everything that knows a venue by name. ``hedger`` sees adapters only through its ports."""
