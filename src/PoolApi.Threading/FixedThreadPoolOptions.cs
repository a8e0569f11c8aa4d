using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace PoolApi.Threading;

/// <summary>The settings of a <see cref="FixedThreadPool"/>. They are read once, when the pool is made.</summary>
public sealed class FixedThreadPoolOptions
{
    /// <summary>The most workers a pool may have.</summary>
    public const int MaxWorkers = 1024;

    /// <summary>The largest queue a pool may have, in items.</summary>
    public const int MaxQueueCapacity = 16_777_216;

    /// <summary>
    /// The pool's name; its threads are named <c>{name}-{id}</c>. 1 to 32 ASCII letters, digits, <c>-</c>, <c>_</c> or
    /// <c>.</c>; Linux shows the first 15 characters of a thread's name. Default: <c>cpu</c>.
    /// </summary>
    public string Name { get; set; } = "cpu";

    /// <summary>The number of dedicated threads, 1 to 1024. Default: the number of processors, at most 1024.</summary>
    public int Workers { get; set; } = WorkersFor(Environment.ProcessorCount);

    /// <summary>
    /// The number of items that may wait while every worker is busy, 1 to 16,777,216. The resumptions of work that
    /// awaits do not count. Default: 1024.
    /// </summary>
    public int QueueCapacity { get; set; } = 1024;

    /// <summary>
    /// The longest time an item may wait, more than zero, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit. An item
    /// that waited longer ends as <see cref="WorkOutcome.Expired"/>, even while all workers are busy. Default: 30 seconds.
    /// </summary>
    public TimeSpan MaxQueueTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The longest time an item may run, more than zero, awaits included, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit. An item
    /// that runs longer ends as <see cref="WorkOutcome.TimedOut"/>, at once, and its token is cancelled. Its worker stays with it until
    /// its code returns; it is shown as stuck meanwhile, and may get a stand-in (<see cref="MaxStandIns"/>). Applies to
    /// everything that the pool runs, what <see cref="FixedThreadPool.TaskScheduler"/> brings included. Default: no limit.
    /// </summary>
    public TimeSpan MaxRunTime { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// A worker on one item for longer than this is stuck, more than zero, or <see cref="Timeout.InfiniteTimeSpan"/> for never:
    /// it is shown and reported as such, with what it runs and since when, and may get a stand-in (<see cref="MaxStandIns"/>).
    /// Nothing happens to the item. Default: 1 minute.
    /// </summary>
    public TimeSpan StuckAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How many further threads may stand in for workers that are blocked or stuck, 0 to 64. While every worker is blocked and
    /// a continuation or an item waits that their own items caused, a stand-in runs that and nothing else, and leaves when it has had
    /// nothing to run for a second. For a worker that is stuck (<see cref="StuckAfter"/>), a stand-in runs whatever waits, and leaves
    /// when that worker comes back. Default: <see langword="null"/>, as many as workers (64 at most) for blocked workers,
    /// and none for stuck ones.
    /// </summary>
    public int? MaxStandIns { get; set; }

    /// <summary>
    /// How far the workers' threads let the other threads of the machine go first, so that a server's own threads answer
    /// while the pool uses every core. On Linux, how much is added to the process's own nice value for each worker, 0 (as any thread) to
    /// 19, at most to 19 in all; elsewhere the nearest that the system offers. Default: <see langword="null"/>, as any thread.
    /// </summary>
    public int? Nice { get; set; }

    /// <summary>
    /// Makes a state for each worker, given its id, on the worker's own thread, before it runs anything: for native handles
    /// that belong to one thread. An item finds it in <see cref="FixedThreadPool.CurrentWorkerState"/>. If it is
    /// <see cref="IDisposable"/> it is disposed of on the same thread, as its last act. If this throws, the pool's
    /// constructor throws the same. Default: none.
    /// </summary>
    public Func<int, object?>? CreateWorkerState { get; set; }

    /// <summary>
    /// Told what happens in the pool, on the thread where it happens; <see langword="null"/> (the default) costs nothing.
    /// </summary>
    public IFixedThreadPoolObserver? Observer { get; set; }

    /// <summary>The clock for ages, limits and deadlines. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>
    /// Makes the meter under which the pool reports, so that two hosts in one process do not share series. Default:
    /// <see langword="null"/>, one meter of the process for all pools without a factory.
    /// </summary>
    public IMeterFactory? MeterFactory { get; set; }

    internal const int MostStandIns = 64;

    /// <summary>Starts a thread; a test makes it fail.</summary>
    internal Action<Thread> StartThread { get; set; } = static thread => thread.UnsafeStart();

    /// <summary>The default of <see cref="Workers"/>: a machine may have more processors than a pool may have workers.</summary>
    internal static int WorkersFor(int processors) => Math.Min(processors, MaxWorkers);

    /// <summary>A valid copy, so that nobody changes what the pool is being made of; "never" is a time that does not come.</summary>
    internal FixedThreadPoolOptions ToValid()
    {
        var copy = (FixedThreadPoolOptions)MemberwiseClone();
        copy.Validate();
        if (copy.StuckAfter == Timeout.InfiniteTimeSpan) copy.StuckAfter = TimeSpan.MaxValue;
        return copy;
    }

    private void Validate()
    {
        Check(IsName(Name), Name, "1 to 32 ASCII letters, digits, '-', '_' or '.'");
        Check(Workers is >= 1 and <= MaxWorkers, Workers, $"1 to {MaxWorkers}");
        Check(QueueCapacity is >= 1 and <= MaxQueueCapacity, QueueCapacity, $"1 to {MaxQueueCapacity}");
        Check(MaxQueueTime > TimeSpan.Zero || MaxQueueTime == Timeout.InfiniteTimeSpan, MaxQueueTime, "more than zero, or infinite");
        Check(MaxRunTime > TimeSpan.Zero || MaxRunTime == Timeout.InfiniteTimeSpan, MaxRunTime, "more than zero, or infinite");
        Check(StuckAfter > TimeSpan.Zero || StuckAfter == Timeout.InfiniteTimeSpan, StuckAfter, "more than zero, or infinite");
        Check(MaxStandIns is null or (>= 0 and <= MostStandIns), MaxStandIns, $"0 to {MostStandIns}, or null");
        Check(Nice is null or (>= 0 and <= 19), Nice, "0 to 19, or null");
        ArgumentNullException.ThrowIfNull(TimeProvider);
    }

    /// <summary>Whether a text may be a pool's name.</summary>
    /// <param name="name">The text.</param>
    public static bool IsName(string? name) =>
        name is { Length: >= 1 and <= 32 } && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static void Check<T>(bool ok, T value, string allowed, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!ok) throw new ArgumentOutOfRangeException(name, value, $"{name} may be {allowed}.");
    }
}
