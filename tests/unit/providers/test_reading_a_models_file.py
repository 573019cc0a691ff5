"""What the head of a GGUF file tells, and the context that fits this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers import gguf
from providers.gguf import Model, window_for
from providers.machine import available_memory, threads
from tests.fakes.gguf import LLAMA, head, write

GIB = 1 << 30


def test_the_head_tells_name_window_and_what_a_token_of_context_takes(tmp_path: Path) -> None:
    model = gguf.read(write(tmp_path / "m.gguf", size=5000))

    # 32 layers of 4 heads, 128 keys and 128 values each, two bytes a number: as known of Nanbeige 4.1
    assert model == Model("Tiny", 5000, 262_144, 64 * 1024)


def test_layers_may_differ_and_keys_may_have_a_length_of_their_own(tmp_path: Path) -> None:
    values = {
        **LLAMA,
        "llama.attention.head_count_kv": [4] * 16 + [0] * 16,
        "llama.attention.key_length": 64,
        "llama.attention.value_length": 64,
        "llama.rope.freq_base": 10_000.0,
    }

    assert gguf.read(write(tmp_path / "m.gguf", values)).per_token == 16 * 4 * (64 + 64) * 2


def test_a_file_that_tells_nothing_is_still_a_model(tmp_path: Path) -> None:
    assert gguf.read(write(tmp_path / "m.gguf", {})).per_token == 0


def test_what_is_no_model_is_said_with_its_path(tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<html>404</html>")

    assert gguf.problem(tmp_path / "none.gguf") == f"{tmp_path}/none.gguf: No such file or directory"
    assert gguf.problem(page).startswith(f"{page}: is not a GGUF model")
    assert gguf.problem(tmp_path) == f"{tmp_path}: is a folder; name the .gguf file in it"
    assert gguf.problem(write(tmp_path / "m.gguf")) == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(head())), place=st.integers(0, len(head()) - 1), value=st.integers(0, 255))
def test_a_damaged_head_is_read_or_refused_and_nothing_else(
    tmp_path: Path, cut: int, place: int, value: int
) -> None:
    damaged = bytearray(head())
    damaged[place] = value
    file = tmp_path / "m.gguf"
    file.write_bytes(damaged[:cut])

    said = gguf.problem(file)

    assert not said or said.startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("memory", "size", "trained", "window"),
    [
        (16 * GIB, 2 * GIB, 262_144, 32_768),  # more than anybody waits for
        (4 * GIB, 2 * GIB, 262_144, 12_288),  # half of the 1.5 GiB that are left
        (2 * GIB, 2 * GIB, 262_144, 4_096),  # less is of no use
        (16 * GIB, 2 * GIB, 8_192, 8_192),
        (1 * GIB, 2 * GIB, 2_048, 2_048),
        (None, 2 * GIB, 262_144, 8_192),
    ],
)
def test_the_context_fits_the_memory(memory: int | None, size: int, trained: int, window: int) -> None:
    assert window_for(Model("m", size, trained, 64 * 1024), memory) == window


def test_available_memory_is_what_the_system_and_the_unit_leave(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       16000 kB\nMemFree: 100 kB\nMemAvailable:    8000 kB\n")
    assert available_memory(meminfo, tmp_path) == 8000 * 1024

    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    assert available_memory(meminfo, tmp_path) == 1_000_000

    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(meminfo, tmp_path) == 8000 * 1024
    assert available_memory(tmp_path / "none", tmp_path) is None


@pytest.mark.parametrize(
    ("processors", "most", "expected"), [(1, 4, 1), (2, 4, 1), (4, 4, 2), (8, 4, 4), (64, 4, 4), (32, 8, 8)]
)
def test_half_of_the_processors_stay_free(processors: int, most: int, expected: int) -> None:
    assert threads(processors, most) == expected
