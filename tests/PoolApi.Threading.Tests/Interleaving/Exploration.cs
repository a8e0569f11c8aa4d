using System.Diagnostics;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>Explores scenarios on all cores at once, two at most: an explorer for each core, with threads of its own.</summary>
internal sealed class Exploration : IDisposable
{
    private const int LastSteps = 150;

    private readonly Schedule[] _explorers = [.. Baton.Cores().Take(2).Select(static core => new Schedule(core))];

    public long Schedules { get; private set; }

    public long Steps { get; private set; }

    public long Switches { get; private set; }

    public TimeSpan Time { get; private set; }

    /// <summary>Runs so many schedules, or until one fails.</summary>
    /// <returns>What failed, with the seed and the steps; null if nothing did.</returns>
    public string? Explore(Scenario scenario, ulong seed, long schedules)
    {
        long start = Stopwatch.GetTimestamp();
        long each = Math.Max(1, schedules / _explorers.Length);
        Task[] others = [.. _explorers.Skip(1).Select((explorer, i) => Task.Factory.StartNew(
            () => explorer.Explore(scenario, seed + 1 + (ulong)i, each), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        _explorers[0].Explore(scenario, seed, each);
        Task.WaitAll(others);
        Time += Stopwatch.GetElapsedTime(start);
        foreach (Schedule explorer in _explorers)
        {
            Schedules += explorer.SchedulesDone;
            Steps += explorer.StepsDone;
            Switches += explorer.SwitchesDone;
        }
        return _explorers.FirstOrDefault(static e => e.Failure is not null) is { } failed
            ? Replay(scenario, failed.Seed) ?? $"{scenario.Name}, seed {failed.Seed}: {failed.Failure} (but not when replayed)"
            : null;
    }

    /// <summary>Runs the one schedule that the seed stands for.</summary>
    /// <returns>What failed, with the last steps; null if nothing did.</returns>
    public string? Replay(Scenario scenario, ulong seed)
    {
        IReadOnlyList<string> trace = TraceOf(scenario, seed);
        return _explorers[0].Failure is { } failure
            ? string.Join(Environment.NewLine, [$"{scenario.Name}, seed {seed}: {failure}", $"  the last of {trace.Count} steps:", .. trace.TakeLast(LastSteps)])
            : null;
    }

    /// <summary>The steps of the one schedule that the seed stands for.</summary>
    public IReadOnlyList<string> TraceOf(Scenario scenario, ulong seed) => _explorers[0].Trace(scenario, seed);

    /// <summary>The same without the callers: which of them are seen depends on what the compiler has inlined by then.</summary>
    public IReadOnlyList<string> StepsOf(Scenario scenario, ulong seed) =>
        [.. TraceOf(scenario, seed).Select(static line => line.Split('|')[0])];

    /// <summary>Explores the scenarios, one after the other, until one fails.</summary>
    /// <param name="seed">Where the seeds begin.</param>
    /// <param name="schedules">The schedules of each scenario.</param>
    /// <param name="only">The only scenario to explore; <see langword="null"/>: all of them.</param>
    /// <param name="needed">How many schedules were run.</param>
    /// <remarks>Found by reflection in assemblies compiled by a test: nothing but types of the framework in its signature.</remarks>
    public static string? Find(ulong seed, long schedules, string? only, out long needed)
    {
        using var exploration = new Exploration();
        string? failure = null;
        foreach (Scenario scenario in Scenarios.All.Where(s => only is null || s.Name == only))
        {
            failure = exploration.Explore(scenario, seed, schedules);
            if (failure is not null) break;
        }
        needed = exploration.Schedules;
        return failure;
    }

    public void Dispose()
    {
        foreach (Schedule explorer in _explorers) explorer.Dispose();
    }
}
