using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace PoolApi.Threading;

/// <summary>Options of a <see cref="FixedThreadPool"/>. They are read once, when the pool is created.</summary>
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
    /// The most items that may be queued while every worker is busy, 1 to 16,777,216. A continuation of work that awaits is never refused, but
    /// takes a place until a worker has run it. So while continuations are queued, the pool refuses new items earlier. Default: 1024.
    /// </summary>
    public int QueueCapacity { get; set; } = 1024;

    /// <summary>
    /// The longest time an item may be queued, more than zero, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit. An item
    /// that is queued longer ends as <see cref="WorkOutcome.Expired"/>, even while all workers are busy. Default: 30 seconds.
    /// </summary>
    public TimeSpan MaxQueueTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The longest time an item may run, more than zero, awaits included, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit. An item
    /// that runs longer ends as <see cref="WorkOutcome.TimedOut"/>, at once, and its token is cancelled. The worker stays with the item until
    /// the item's code returns. Meanwhile the pool shows the worker as stuck and may start a stand-in (<see cref="MaxStandIns"/>). The limit
    /// applies to everything that the pool runs, including tasks of <see cref="FixedThreadPool.TaskScheduler"/>. A drain waits for the code of such
    /// an item only while that code holds a worker. An asynchronous item that exceeds its limit during an await is not waited for: once the pool
    /// has drained, its code after the await may never run. Default: no limit.
    /// </summary>
    public TimeSpan MaxRunTime { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// How long a worker may run one item before it is stuck, more than zero, or <see cref="Timeout.InfiniteTimeSpan"/> for never.
    /// A stuck worker is shown and reported with its item and start time, and may get a stand-in (<see cref="MaxStandIns"/>).
    /// Nothing happens to the item. Default: 1 minute.
    /// </summary>
    public TimeSpan StuckAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The most additional threads that stand in for blocked or stuck workers, 0 to 64. While every worker is blocked, a stand-in runs the
    /// queued continuations and items that the workers' own items caused, and nothing else. It leaves after a second without such work. For a
    /// stuck worker (<see cref="StuckAfter"/>), a stand-in runs any queued item and leaves when that worker recovers. Default:
    /// <see langword="null"/>, as many as workers (at most 64) for blocked workers, and none for stuck ones.
    /// </summary>
    public int? MaxStandIns { get; set; }

    /// <summary>
    /// Lowers the priority of the workers' threads, so that a server's own threads respond while the pool uses every core: 0 to 19. On Linux the pool
    /// adds this number to the process's nice value. A sum above 19 counts as 19, the highest nice value; the sum is negative in a process whose
    /// nice value is low enough, such as -20. On other systems the workers get the nearest priority.
    /// Default: <see langword="null"/>, the process's priority.
    /// </summary>
    public int? Nice { get; set; }

    /// <summary>
    /// Creates a state for each worker from its id, on the worker's own thread, before it runs an item: for native handles
    /// that belong to one thread. An item reads it from <see cref="FixedThreadPool.CurrentWorkerState"/>. If it is
    /// <see cref="IDisposable"/>, it is disposed of on the same thread when that thread ends. If this throws, the pool's
    /// constructor throws the same. Default: none.
    /// </summary>
    public Func<int, object?>? CreateWorkerState { get; set; }

    /// <summary>
    /// Receives the events of the pool, on the thread where they happen. Default: <see langword="null"/>, which costs nothing.
    /// </summary>
    public IFixedThreadPoolObserver? Observer { get; set; }

    /// <summary>The clock for ages, limits and deadlines. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>
    /// Creates the meter under which the pool reports, so that two hosts in one process do not share series. Default:
    /// <see langword="null"/>, one meter of the process for all pools without a factory.
    /// </summary>
    public IMeterFactory? MeterFactory { get; set; }

    internal const int MostStandIns = 64;

    /// <summary>Whether the workers record what they do. A benchmark turns it off, to measure what it costs.</summary>
    internal bool IsRecorded { get; set; } = true;

    /// <summary>Starts a thread; a test makes it fail.</summary>
    internal Action<Thread> StartThread { get; set; } = static thread => thread.UnsafeStart();

    /// <summary>The default of <see cref="Workers"/>: a machine may have more processors than a pool may have workers.</summary>
    internal static int WorkersFor(int processors) => Math.Min(processors, MaxWorkers);

    /// <summary>Creates a validated copy, which the caller cannot change. An infinite StuckAfter becomes the largest time.</summary>
    internal FixedThreadPoolOptions ToValid()
    {
        var copy = (FixedThreadPoolOptions)MemberwiseClone();
        copy.Validate();
        if (copy.StuckAfter == Timeout.InfiniteTimeSpan) copy.StuckAfter = TimeSpan.MaxValue;
        return copy;
    }

    private void Validate()
    {
        Check(PoolName.IsValid(Name), Name, PoolName.Rule);
        Check(Workers is >= 1 and <= MaxWorkers, Workers, $"1 to {MaxWorkers}");
        Check(QueueCapacity is >= 1 and <= MaxQueueCapacity, QueueCapacity, $"1 to {MaxQueueCapacity}");
        Check(MaxQueueTime > TimeSpan.Zero || MaxQueueTime == Timeout.InfiniteTimeSpan, MaxQueueTime, "more than zero, or infinite");
        Check(MaxRunTime > TimeSpan.Zero || MaxRunTime == Timeout.InfiniteTimeSpan, MaxRunTime, "more than zero, or infinite");
        Check(StuckAfter > TimeSpan.Zero || StuckAfter == Timeout.InfiniteTimeSpan, StuckAfter, "more than zero, or infinite");
        Check(MaxStandIns is null or (>= 0 and <= MostStandIns), MaxStandIns, $"0 to {MostStandIns}, or null");
        Check(Nice is null or (>= 0 and <= 19), Nice, "0 to 19, or null");
        ArgumentNullException.ThrowIfNull(TimeProvider);
    }

    private static void Check<T>(bool ok, T value, string allowed, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!ok) throw new ArgumentOutOfRangeException(name, value, $"{name} must be {allowed}.");
    }
}
