using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>The gate and the parker, each alone.</summary>
internal static class PrimitiveScenarios
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("three threads at the gate", 3, static schedule => new GateWorld(schedule)),
        new("parking and unparking", 2, static schedule => new ParkerWorld()),
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

        public ParkerWorld()
        {
            Add("parks first", () =>
            {
                for (int i = 0; i < 2; i++)
                {
                    Parker<ScheduledOps>.Park(ref _lines.Int(0));
                    Parker<ScheduledOps>.Unpark(ref _lines.Int(1));
                }
            });
            Add("parks second", () =>
            {
                for (int i = 0; i < 2; i++)
                {
                    Parker<ScheduledOps>.Unpark(ref _lines.Int(0));
                    Parker<ScheduledOps>.Park(ref _lines.Int(1));
                }
            });
        }

        public override void Check() { }
    }
}
