using System.Diagnostics;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>Explores scenarios on at most two cores at once. Each core has an explorer with its own threads.</summary>
internal sealed class Exploration : IDisposable
{
    private const int LastSteps = 150;

    private readonly Schedule[] _explorers = [.. Baton.Cores().Take(2).Select(static core => new Schedule(core))];

    public long Schedules { get; private set; }

    public long Steps { get; private set; }

    public long Switches { get; private set; }

    public TimeSpan Time { get; private set; }

    /// <summary>Runs the given number of schedules, or stops at the first that fails.</summary>
    /// <returns>The failure with its seed and its last steps; null if there is none.</returns>
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

    /// <summary>Runs the schedule of the seed.</summary>
    /// <returns>The failure with its last steps; null if there is none.</returns>
    public string? Replay(Scenario scenario, ulong seed)
    {
        IReadOnlyList<string> trace = TraceOf(scenario, seed);
        return _explorers[0].Failure is { } failure
            ? string.Join(Environment.NewLine, [$"{scenario.Name}, seed {seed}: {failure}", $"  the last of {trace.Count} steps:", .. trace.TakeLast(LastSteps)])
            : null;
    }

    /// <summary>Runs the schedule of the seed and returns its steps.</summary>
    public IReadOnlyList<string> TraceOf(Scenario scenario, ulong seed) => _explorers[0].Trace(scenario, seed);

    /// <summary>The same without the callers of each step, which depend on what the compiler has inlined by then.</summary>
    public IReadOnlyList<string> StepsOf(Scenario scenario, ulong seed) =>
        [.. TraceOf(scenario, seed).Select(static line => line.Split('|')[0])];

    /// <summary>Explores the scenarios, one after the other, until one fails.</summary>
    /// <param name="seed">The base seed, from which the seeds of the schedules follow.</param>
    /// <param name="schedules">The number of schedules of each scenario.</param>
    /// <param name="only">The only scenario to explore; <see langword="null"/>: all of them.</param>
    /// <param name="needed">The number of schedules that were run.</param>
    /// <remarks>A test finds this method by reflection in an assembly that it compiles, so the signature uses only types of the framework.</remarks>
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
