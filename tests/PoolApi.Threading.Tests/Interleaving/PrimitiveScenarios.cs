using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>The gate, the parker, the count of places and a worker's ledger, each alone.</summary>
internal static class PrimitiveScenarios
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("three threads at the gate", 3, static schedule => new GateWorld(schedule)),
        new("parking and unparking", 2, static schedule => new ParkerWorld(schedule)),
        new("three callers and three places", 3, static schedule => new PlacesWorld(schedule)),
        new("four callers and two places", 4, static schedule => new FewPlacesWorld(schedule)),
        new("a worker changes its ledger while two look", 3, static schedule => new LedgerWorld(schedule)),
    ];

    private sealed class GateWorld : World
    {
        private readonly CacheLines _lines = new(1);
        private readonly Schedule _schedule;
        private bool _isInside;
        private int _times;

        public GateWorld(Schedule schedule)
        {
            _schedule = schedule;
            for (int i = 1; i <= 3; i++) Add($"thread {i}", Enter);
        }

        public override void Check()
        {
            if (_times != 6) _schedule.Fail($"{_times} of 6 times inside");
        }

        private void Enter()
        {
            for (int i = 0; i < 2; i++)
            {
                Gate<ScheduledOps>.Enter(ref _lines.Int(0));
                if (_isInside) _schedule.Fail("two inside");
                _isInside = true;
                ScheduledOps.Spot();
                ScheduledOps.Spot();
                _isInside = false;
                _times++;
                Gate<ScheduledOps>.Exit(ref _lines.Int(0));
            }
        }
    }

    private sealed class ParkerWorld : World
    {
        private readonly CacheLines _lines = new(2);

        private readonly int[] _given = new int[2];
        private readonly Schedule _schedule;

        public ParkerWorld(Schedule schedule)
        {
            _schedule = schedule;
            Add("parks first", () =>
            {
                for (int i = 0; i < 2; i++)
                {
                    Park(0);
                    Unpark(1);
                }
            });
            Add("parks second", () =>
            {
                for (int i = 0; i < 2; i++)
                {
                    Unpark(0);
                    Park(1);
                }
            });
        }

        public override void Check() { }

        private void Park(int word)
        {
            Parker<ScheduledOps>.Park(ref _lines.Int(word));
            if (--_given[word] < 0) _schedule.Fail("back from parking without a permit");
        }

        private void Unpark(int word)
        {
            _given[word]++;
            Parker<ScheduledOps>.Unpark(ref _lines.Int(word));
        }
    }

    /// <summary>Each item takes one tick and begins at ten times its number, so a reader can check that its copy of the ledger is consistent.</summary>
    private sealed class LedgerWorld : World
    {
        private const int Items = 4;

        private readonly WorkerLedger _ledger = new();
        private readonly Schedule _schedule;

        public LedgerWorld(Schedule schedule)
        {
            _schedule = schedule;
            Add("worker", () =>
            {
                for (int i = 1; i <= Items; i++)
                {
                    _ledger.Take<ScheduledOps>(new ScheduledItem($"item {i}") { Accepted = i }, i * 10);
                    _ledger.BeginChange<ScheduledOps>();
                    _ledger.Release<ScheduledOps>((i * 10) + 1);
                    _ledger.Ended.Add(WorkOutcome.Completed);
                    _ledger.EndChange<ScheduledOps>();
                }
            });
            for (int reader = 1; reader <= 2; reader++)
            {
                Add($"reader {reader}", () =>
                {
                    for (int times = 0; times < 3; times++) Look();
                });
            }
        }

        public override void Check()
        {
            Look();
            if (_ledger.Released<ScheduledOps>() != Items) _schedule.Fail($"{_ledger.Released<ScheduledOps>()} of {Items} places were freed");
        }

        private void Look()
        {
            LedgerCopy seen = _ledger.Copy<ScheduledOps>();
            if (seen.BusyTicks != seen.Ended.Total) _schedule.Fail($"{seen.Ended.Total} ended, busy for {seen.BusyTicks}");
            if (seen.Item is not ScheduledItem item) return;
            if (seen.ItemSince != item.Accepted * 10) _schedule.Fail($"{item} since {seen.ItemSince}");
            if (item.Accepted != seen.Ended.Total + 1) _schedule.Fail($"{item} in hand, and {seen.Ended.Total} ended");
        }
    }

    /// <summary>Each caller frees its place before it reserves again, so no reservation may fail.</summary>
    private sealed class PlacesWorld : World, IReleasedCount
    {
        private readonly Inbox<ScheduledOps> _inbox = new();
        private readonly long[] _released = new long[3];

        public PlacesWorld(Schedule schedule)
        {
            for (int i = 0; i < 3; i++)
            {
                int me = i;
                Add($"caller {i + 1}", () =>
                {
                    for (int times = 0; times < 3; times++)
                    {
                        if (_inbox.Reserve(1, 3, this, out _) == 0) schedule.Fail("a caller was refused, and there was a place");
                        ScheduledOps.Spot();
                        _released[me]++;
                    }
                });
            }
        }

        public long CountReleased()
        {
            long sum = 0;
            foreach (long released in _released)
            {
                ScheduledOps.Spot();
                sum += released;
            }
            return sum;
        }

        public override void Check() { }
    }

    /// <summary>Some reservations are refused, and some are for two places. The callers never hold more places than there are.</summary>
    private sealed class FewPlacesWorld : World, IReleasedCount
    {
        private readonly Inbox<ScheduledOps> _inbox = new();
        private readonly Schedule _schedule;
        private int _inside;
        private long _released;

        public FewPlacesWorld(Schedule schedule)
        {
            _schedule = schedule;
            for (int i = 1; i <= 4; i++)
            {
                int wanted = (i % 2) + 1;
                Add($"caller {i}", () =>
                {
                    for (int times = 0; times < 2; times++) Come(wanted);
                });
            }
        }

        public long CountReleased()
        {
            ScheduledOps.Spot();
            return _released;
        }

        public override void Check()
        {
            if (_inbox.Reserved != _released) _schedule.Fail($"{_inbox.Reserved} places reserved, {_released} given back");
        }

        private void Come(int wanted)
        {
            int got = _inbox.Reserve(wanted, 2, this, out _);
            _inside += got;
            if (_inside > 2) _schedule.Fail($"{_inside} inside");
            ScheduledOps.Spot();
            _inside -= got;
            if (wanted == 2)
            {
                _inbox.GiveBack(got); // as if the queue was closed meanwhile
                return;
            }
            _released += got;
        }
    }
}
