using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>One thread writes the flight recorder's ring, and others read it. They read whole entries in order, and count every lost one.</summary>
internal static class RecordRingScenarios
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("a recorder and two readers, a ring of two", 3, static schedule => new RingWorld(schedule, capacity: 2, entries: 7, readers: 2)),
        new("a recorder and a reader, a ring of four", 2, static schedule => new RingWorld(schedule, capacity: 4, entries: 9, readers: 1)),
    ];

    /// <summary>An entry has two words, and both hold its number.</summary>
    private readonly struct PairSlots(int capacity) : IRingSlots<(int One, int Other)>
    {
        private readonly CacheLines _lines = new(capacity * 2);

        public void Store(int slot, in (int One, int Other) entry)
        {
            ScheduledOps.Write(ref _lines.Int(slot * 2), entry.One);
            ScheduledOps.Write(ref _lines.Int((slot * 2) + 1), entry.Other);
        }

        public (int One, int Other) Load(int slot) =>
            (ScheduledOps.Read(ref _lines.Int(slot * 2)), ScheduledOps.Read(ref _lines.Int((slot * 2) + 1)));
    }

    private sealed class RingWorld : World
    {
        private readonly Schedule _schedule;
        private readonly RecordRing<ScheduledOps, PairSlots, (int One, int Other)> _ring;
        private readonly int _entries;

        public RingWorld(Schedule schedule, int capacity, int entries, int readers)
        {
            _schedule = schedule;
            _entries = entries;
            _ring = new(new PairSlots(capacity), capacity);
            Add("recorder", () =>
            {
                for (int i = 0; i < entries; i++) _ring.Write((i, i));
            });
            for (int r = 1; r <= readers; r++)
            {
                Add($"reader {r}", () =>
                {
                    int cursor = 0;
                    for (int times = 0; times < 3; times++) Read(ref cursor);
                });
            }
        }

        public override void Check()
        {
            int cursor = 0;
            Read(ref cursor);
            if (cursor != _entries) _schedule.Fail($"{cursor} of {_entries} entries are done");
        }

        private void Read(ref int cursor)
        {
            var entries = new List<(int One, int Other)>();
            int from = cursor;
            int expected = from + _ring.Read(ref cursor, entries); // the lost entries are the oldest
            foreach ((int one, int other) in entries)
            {
                if (one != other) _schedule.Fail($"an entry of two halves: {one} and {other}");
                if (one != expected) _schedule.Fail($"entry {one} in the place of {expected}");
                expected++;
            }
            if (expected != cursor) _schedule.Fail($"from {from} to {cursor}: {entries.Count} read, and {expected} is next");
        }
    }
}
