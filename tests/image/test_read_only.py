"""The image runs with a read-only root, as a user without privileges."""

from pathlib import Path

from testsupport.image.built import Image

_TRY = """
import json, os
with open("/proc/self/status") as lines:
    status = dict(line.split(":", 1) for line in lines)
def writable(folder):
    try:
        os.close(os.open(os.path.join(folder, "written"), os.O_CREAT | os.O_WRONLY))
    except OSError:
        return False
    return True
folders = [folder for folder, _, _ in os.walk("/") if not folder.startswith("/proc/")]
print(json.dumps({
    "user": [os.getuid(), os.getgid(), os.getgroups()],
    "privileges": [int(status["CapEff"], 16), int(status["CapPrm"], 16), int(status["NoNewPrivs"])],
    "tried": len(folders),
    "written": [folder for folder in folders if writable(folder)],
}))
"""


def test_nothing_can_be_written(image: Image, tmp_path: Path) -> None:
    """No file can be created in any folder, which also holds for the end-to-end tests that run in the image."""
    found = image.python(tmp_path, _TRY)
    assert found["user"] == [65532, 65532, []]
    assert found["privileges"] == [0, 0, 1]
    assert found["tried"] > 100
    assert found["written"] == []
