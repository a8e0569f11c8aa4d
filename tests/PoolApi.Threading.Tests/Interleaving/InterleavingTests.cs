using System.Globalization;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// Explores the protocol of the queue and of a stop: many orders of its steps, most of which no machine would produce, with stores that
/// other threads see late and with spurious wake-ups.
/// </summary>
/// <remarks>
/// A failure names its seed. <c>POOLAPI_SEED=…</c> replays that seed in every scenario. <c>POOLAPI_SCHEDULES=…</c> sets the number of
/// schedules of each scenario, and <c>POOLAPI_LONG_TESTS=1</c> runs <see cref="ManySchedules"/>. Runs beside no other test, because an
/// explorer takes a whole core.
/// </remarks>
[CollectionDefinition(nameof(InterleavingTests), DisableParallelization = true)]
[Collection(nameof(InterleavingTests))]
[Trait("Category", "Slow")]
public sealed class InterleavingTests(InterleavingTests.Explorers explorers) : IClassFixture<InterleavingTests.Explorers>
{
    /// <summary>The schedules of each scenario in a short run. Most of them are new in each run, so runs add up.</summary>
    internal const long FewSchedules = 2_000;

    /// <summary>The schedules of each scenario in a long run. <see cref="Faults.PlantedFaultTests"/> checks that they find every planted fault.</summary>
    internal const long ManySchedules = 60_000;

    private static long SchedulesOfEach => (long?)Number("POOLAPI_SCHEDULES") ?? (LongTests.Wanted ? ManySchedules : FewSchedules);

    public static TheoryData<string> Names => [.. Scenarios.All.Select(static s => s.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_scenario_holds_in_every_explored_interleaving(string scenario)
    {
        Exploration exploration = explorers.Exploration;
        Scenario explored = Scenarios.All.Single(s => s.Name == scenario);
        if (Number("POOLAPI_SEED") is { } seed)
        {
            string? replayed = exploration.Replay(explored, seed);
            Assert.True(replayed is null, replayed);
            return;
        }
        // A quarter of the schedules is the same in every run, so that the runs before and after a change are comparable. The others are new.
        long known = SchedulesOfEach / 4;
        long before = exploration.Schedules;
        TimeSpan timeBefore = exploration.Time;
        ulong fresh = (ulong)Random.Shared.NextInt64();
        string? failure = exploration.Explore(explored, 1, known) ?? exploration.Explore(explored, fresh, SchedulesOfEach - known);
        long schedules = exploration.Schedules - before;
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{schedules} schedules, base seeds 1 and {fresh}, {schedules / (exploration.Time - timeBefore).TotalSeconds:F0} a second");
        Assert.True(failure is null, failure);
    }

    [Fact]
    public void The_same_seed_reproduces_the_same_schedule()
    {
        Scenario scenario = Scenarios.All.Single(static s => s.Name == "two items that wait for each other, two workers");
        for (ulong seed = 0; seed < 20; seed++)
        {
            using var one = new Exploration();
            using var other = new Exploration();
            Assert.Equal(one.StepsOf(scenario, seed), other.StepsOf(scenario, seed));
        }
    }

    private static ulong? Number(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? ulong.Parse(text, CultureInfo.InvariantCulture) : null;

    /// <summary>Shares the explorers' threads among all scenarios, so that a schedule starts no thread.</summary>
    public sealed class Explorers : IDisposable
    {
        internal Exploration Exploration { get; } = new();

        public void Dispose() => Exploration.Dispose();
    }
}
