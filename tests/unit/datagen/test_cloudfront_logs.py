"""The generator of logs is seeded, and says the truth about what it makes."""

import gzip
import re
from collections import Counter

import pytest

from datagen.cloudfront_logs import DISTRIBUTIONS, FIELDS, Corpus, realtime_records
from shared import access_log


def test_the_fields_are_those_of_the_contract() -> None:
    assert tuple(FIELDS) == access_log.FIELDS


@pytest.mark.parametrize("fields", [26, 33])
def test_the_truth_is_what_the_files_hold(fields: int) -> None:
    corpus = Corpus(3_000, fields=fields, rows_per_file=500)
    viewers: Counter[str] = Counter()
    sent: Counter[tuple[str, str]] = Counter()
    hours: Counter[str] = Counter()
    names = []
    for file in corpus.files():
        version, names_line, *lines = gzip.decompress(file.body).decode().splitlines()
        assert version == "#Version: 1.0"
        assert names_line == f"#Fields: {' '.join(FIELDS[:fields])}"
        assert len(lines) == file.rows
        match = re.fullmatch(r"cloudfront/(\w+)\.2026-11-2\d-\d\d\.[0-9a-f]{8}\.gz", file.key)
        assert match
        names.append(match[1])
        for values in (line.split("\t") for line in lines):
            assert len(values) == fields
            viewers[values[4]] += 1
            sent[match[1], values[2]] += int(values[3])
            hours[f"{values[0]} {values[1][:2]}"] += 1
    assert names == [*DISTRIBUTIONS, *DISTRIBUTIONS[:2]]
    truth = corpus.truth
    assert (truth.viewers, truth.bytes_sent, truth.hours) == (viewers, sent, hours)
    assert truth.rows == 3_000
    assert len(truth.hours) > 10  # rows that come late


def test_the_same_seed_gives_the_same_files() -> None:
    first, again, other = (list(Corpus(200, seed=seed).files()) for seed in (1, 1, 2))
    assert first == again != other


def test_real_time_records_grow_in_sequence_and_arrive_after_their_time() -> None:
    records = list(realtime_records(500))
    numbers = [int(record.sequence_number) for record in records]
    assert numbers == sorted(set(numbers))
    assert all(0 <= record.arrival - record.second < 7 for record in records)
