from adapters.sandbox.runner import BoundedStream


def test_the_log_of_a_background_sandbox_starts_again_when_it_is_full(tmp_path):
    path = tmp_path / "sandbox.log"
    with path.open("a", encoding="utf-8", buffering=1) as file:
        stream = BoundedStream(file, path, max_bytes=100)
        for number in range(1_000):
            stream.write(f"line {number}\n")
        stream.flush()
    assert path.stat().st_size < 120
    assert path.read_text().endswith("line 999\n")


def test_a_log_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "sandbox.log").touch()
    with (tmp_path / "users.txt").open("a", encoding="utf-8", buffering=1) as file:
        stream = BoundedStream(file, tmp_path / "sandbox.log", max_bytes=100)
        for number in range(100):
            stream.write(f"line {number}\n")
    assert (tmp_path / "users.txt").read_text().startswith("line 0\n")
