using System.Reflection;
namespace PoolApi.Threading.Tests.Support;

/// <summary>Makes pools with names of their own (tests share one process, and one meter), and occupies their workers.</summary>
internal static class Pools
{
    private static int s_last;

    public static FixedThreadPool Make(
        int workers = 1,
        int capacity = 1024,
        TimeProvider? time = null,
        TimeSpan? maxQueueTime = null,
        TimeSpan? stuckAfter = null,
        IFixedThreadPoolObserver? observer = null,
        Action<FixedThreadPoolOptions>? more = null)
    {
        FixedThreadPoolOptions options = Options(workers, capacity, time, maxQueueTime, stuckAfter, observer);
        more?.Invoke(options);
        return new FixedThreadPool(options);
    }

    public static FixedThreadPoolOptions Options(
        int workers = 1,
        int capacity = 1024,
        TimeProvider? time = null,
        TimeSpan? maxQueueTime = null,
        TimeSpan? stuckAfter = null,
        IFixedThreadPoolObserver? observer = null) => new()
        {
            Name = $"t{Interlocked.Increment(ref s_last)}",
            Workers = workers,
            QueueCapacity = capacity,
            MaxQueueTime = maxQueueTime ?? Timeout.InfiniteTimeSpan,
            StuckAfter = stuckAfter ?? TimeSpan.FromMinutes(1),
            Observer = observer,
            CreateWorkerState = observer is RecordingObserver recording ? recording.StateOf : null,
            TimeProvider = time ?? TimeProvider.System,
        };

    /// <summary>Occupies every worker until the result is disposed of.</summary>
    public static Occupation Occupy(this FixedThreadPool pool) => new(pool);

    public static void Accepted(
        this FixedThreadPool pool, PoolWorkItem item, CancellationToken cancellationToken = default, in WorkOptions options = default) =>
        Assert.True(pool.TrySubmit(item, cancellationToken, options));

    /// <summary>The pool's answer to a submission, with the reason of a refusal.</summary>
    public static SubmitResult Answer(
        this FixedThreadPool pool, PoolWorkItem item, CancellationToken cancellationToken = default, in WorkOptions options = default) =>
        Answer(pool, pool.TrySubmit(item, cancellationToken, options));

    /// <inheritdoc cref="Answer(FixedThreadPool, PoolWorkItem, CancellationToken, in WorkOptions)"/>
    public static SubmitResult AnswerToPost(this FixedThreadPool pool, Action work) => Answer(pool, pool.Post(work));

    /// <summary>Why the pool did not accept the work.</summary>
    public static SubmitResult Reason(WorkRejectedException error)
    {
        Assert.Null(error.Outcome);
        return error.Message.Contains("is closed", StringComparison.Ordinal) ? SubmitResult.Closed : SubmitResult.QueueFull;
    }

    /// <summary>Blocks the calling thread until there is space, the pool closes, or the timeout expires.</summary>
    public static bool WaitForSpaceBlocking(this FixedThreadPool pool, TimeSpan timeout)
    {
        using var over = new CancellationTokenSource();
        try
        {
            ValueTask<bool> wait = pool.WaitForSpaceAsync(over.Token);
            over.CancelAfter(timeout);
            return wait.AsTask().GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static SubmitResult Answer(FixedThreadPool pool, bool isAccepted) =>
        isAccepted ? SubmitResult.Accepted : pool.IsClosed ? SubmitResult.Closed : SubmitResult.QueueFull;

    /// <summary>Asserts the invariant of the counts: every accepted item has ended, waits or is in flight.</summary>
    public static void AddsUp(PoolSnapshot snapshot)
    {
        Assert.Equal(snapshot.Accepted, snapshot.Counts.Values.Sum() + snapshot.QueueLength + snapshot.InFlight);
        Assert.InRange(snapshot.Suspended, 0, snapshot.InFlight);
    }

    /// <summary>
    /// Waits until /proc lists no thread of the pool. The kernel removes a thread a moment after the runtime has joined it.
    /// </summary>
    public static void NoThreadIsLeft(FixedThreadPool pool) => Patience.Until(() => ThreadsNamed($"{pool.Name}-").Count == 0);

    /// <summary>Waits until every thread of the pool sleeps, as the kernel sees it.</summary>
    public static void AllSleep(FixedThreadPool pool)
    {
        PoolCore core = CoreOf(pool);
        // The kernel's state alone is not enough: a worker that looks for work may sleep too, during a collection or a compilation.
        Patience.Until(() => core.Workers.All.All(static worker => !worker.IsLive || Volatile.Read(ref worker.Sleeps))
            && ThreadsNamed($"{pool.Name}-") is { Count: > 0 } threads
            && threads.TrueForAll(static thread => ThreadStat(thread)[0] == "S"));
    }

    /// <summary>Every worker that ever existed, including stand-ins that have left. A snapshot ends with the last live worker.</summary>
    public static IEnumerable<WorkerSnapshot> EveryWorker(FixedThreadPool pool)
    {
        PoolCore core = CoreOf(pool);
        return core.Workers.All.Select(core.Views.Snapshot);
    }

    private static PoolCore CoreOf(FixedThreadPool pool) =>
        (PoolCore)typeof(FixedThreadPool).GetField("_core", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(pool)!;

    /// <summary>The fields of /proc/self/task/TID/stat from the state on. The name before the state may contain any character.</summary>
    public static string[] ThreadStat(string thread)
    {
        string stat = File.ReadAllText($"/proc/self/task/{thread}/stat");
        return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
    }

    /// <summary>The kernel's ids of this process's threads whose names start with the prefix.</summary>
    public static List<string> ThreadsNamed(string prefix)
    {
        var found = new List<string>();
        foreach (string task in Directory.EnumerateDirectories("/proc/self/task"))
        {
            try
            {
                if (File.ReadAllText($"{task}/comm").StartsWith(prefix, StringComparison.Ordinal)) found.Add(Path.GetFileName(task));
            }
            catch (IOException)
            {
                // The thread has ended meanwhile.
            }
        }
        return found;
    }
}

/// <summary>Holds every worker of a pool inside an item.</summary>
internal sealed class Occupation : IDisposable
{
    private readonly ManualResetEventSlim _release = new();

    public Occupation(FixedThreadPool pool)
    {
        using var started = new CountdownEvent(pool.Workers);
        Items = Enumerable.Range(0, pool.Workers).Select(_ => new TestItem(_ =>
        {
            started.Signal();
            _release.WaitPatiently();
        })).ToArray();
        foreach (TestItem item in Items) pool.Accepted(item);
        if (!started.Wait(Patience.Long)) throw new TimeoutException("The workers were not free.");
    }

    public TestItem[] Items { get; }

    /// <summary>Releases the workers.</summary>
    public void Dispose() => _release.Set();
}
