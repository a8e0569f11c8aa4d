using Microsoft.Extensions.Logging;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <summary>The dispatchers of an instance: one for each pool that runs jobs. They share the store and the instance's name.</summary>
/// <remarks>
/// <para>Each dispatcher claims the kinds of its own pool, as many jobs as that pool has room for. So jobs that wait for a busy pool do not hold
/// up jobs of another pool. The first pool also runs the kinds that no pool is named for.</para>
/// <para>The dispatchers are created when they are first needed, because the kinds are known only when the app's endpoints are mapped. This object
/// is the store's listener from the start. The first dispatcher maintains the store for all of them, and renews the leases of all
/// of them first.</para>
/// <para>Each dispatcher has an equal part of <see cref="JobOptions.MemoryBytes"/>, so large bodies of one pool take no memory from another.</para>
/// </remarks>
internal sealed class JobDispatchers : IJobStoreListener, IAsyncDisposable
{
    private readonly JobWatch _watch;
    private readonly Lazy<(JobDispatcher Dispatcher, KindFilter Kinds)[]> _all;

    /// <summary>Creates the dispatchers' owner. Nothing runs until <see cref="Start"/>.</summary>
    /// <param name="store">The store, not yet opened. This object becomes its listener.</param>
    /// <param name="executor">Runs an attempt on the pool of its kind.</param>
    /// <param name="pools">Returns the pools. Called once, when the dispatchers are created. The first pool also runs the kinds of no pool.</param>
    /// <param name="watch">Receives the changes.</param>
    /// <param name="options">The options.</param>
    /// <param name="instruments">The metrics.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    public JobDispatchers(
        IJobStore store, IJobExecutor executor, Func<IReadOnlyList<PoolKinds>> pools, JobWatch watch, JobOptions options,
        JobInstruments instruments, TimeProvider time, ILogger<JobDispatcher> logger)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(pools);
        _watch = watch;
        _all = new(() =>
        {
            IReadOnlyList<PoolKinds> each = pools();
            JobOptions part = options with { MemoryBytes = Math.Max(1, options.MemoryBytes / each.Count) };
            JobDispatcher? first = null;
            return [.. each.Select((pool, i) =>
            {
                KindFilter kinds = i > 0 ? KindFilter.Only(pool.Kinds) : KindFilter.AllBut(each.Skip(1).SelectMany(static other => other.Kinds));
                var dispatcher = new JobDispatcher(
                    store, executor, pool.Pool, watch, part, instruments, time, logger, Owner, kinds, i == 0 ? () => Made : null, first);
                first ??= dispatcher;
                return (dispatcher, kinds);
            })];
        });
        store.Listener = this;
    }

    /// <inheritdoc cref="JobDispatcher.Owner"/>
    public string Owner { get; } = JobDispatcher.NewOwner();

    /// <summary>The bytes of the bodies and results of claimed jobs.</summary>
    public long BytesInHand => Made.Sum(static d => d.BytesInHand);

    /// <summary>The limit of these bytes; see <see cref="JobOptions.MemoryBytes"/>.</summary>
    public long MaxBytesInHand => Made.Sum(static d => d.MaxBytesInHand);

    /// <summary>The attempts that this instance has in hand.</summary>
    public IEnumerable<JobAttempt> Attempts => Made.SelectMany(static d => d.Attempts);

    /// <inheritdoc cref="JobDispatcher.IsAsleep"/>
    internal bool AreAsleep(TimeSpan longerThan) => Made.All(d => d.IsAsleep(longerThan));

    private IEnumerable<JobDispatcher> Made => _all.IsValueCreated ? _all.Value.Select(static d => d.Dispatcher) : [];

    /// <summary>Starts the dispatchers. The store must be open.</summary>
    public void Start()
    {
        foreach (var (dispatcher, _) in _all.Value) dispatcher.Start();
    }

    /// <inheritdoc cref="JobDispatcher.AcceptAsync"/>
    public ValueTask<JobAcceptance> AcceptAsync(NewJob job, bool isWaitedFor, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(job);
        return Array.Find(_all.Value, d => d.Kinds.Contains(job.Kind)).Dispatcher.AcceptAsync(job, isWaitedFor, cancellation);
    }

    /// <inheritdoc cref="JobDispatcher.Close"/>
    public void Close()
    {
        foreach (JobDispatcher dispatcher in Made) dispatcher.Close();
    }

    /// <inheritdoc cref="JobDispatcher.StopAsync"/>
    public Task StopAsync(CancellationToken cancellation, CancellationToken cut = default) =>
        Task.WhenAll(Made.Select(d => d.StopAsync(cancellation, cut)));

    /// <inheritdoc cref="JobDispatcher.CountUnwrittenAsync"/>
    public async Task<int> CountUnwrittenAsync(CancellationToken cancellation) =>
        (await Task.WhenAll(Made.Select(d => d.CountUnwrittenAsync(cancellation)))).Sum();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (JobDispatcher dispatcher in Made) await dispatcher.DisposeAsync();
    }

    void IJobStoreListener.Changed(JobChange change)
    {
        _watch.Changed(change);
        foreach (JobDispatcher dispatcher in Made) dispatcher.CancelIfAsked(change);
    }

    void IJobStoreListener.MayBeDue()
    {
        foreach (IJobStoreListener dispatcher in Made) dispatcher.MayBeDue();
    }

    void IJobStoreListener.MayHaveMissed()
    {
        _watch.MayHaveMissed();
        foreach (JobDispatcher dispatcher in Made) dispatcher.Requery();
    }
}

/// <summary>A pool that runs jobs.</summary>
/// <param name="Pool">The pool.</param>
/// <param name="Kinds">The kinds of jobs that run there.</param>
internal sealed record PoolKinds(FixedThreadPool Pool, IReadOnlyCollection<string> Kinds);
