import pytest

from tests.serving.builders import Shop


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(tmp_path)
