using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Running;

/// <summary>Lets any number of callers wait for the next version of a job; however many watch the same job, it is read once.</summary>
/// <remarks>
/// <para>Each job that is watched has a <see cref="Watched"/>: its latest version, and a signal that is replaced when a newer one has
/// been read. A watcher that does not keep up sees the latest only, and costs no more memory than one that does.</para>
/// <para>That nothing is missed: a watcher is counted in before it reads the job for the first time, and a change that is told
/// while the job is being read makes it be read again.</para>
/// <para>Where the store does not tell of what other instances do, it is asked four times a second which of the watched jobs have
/// changed, as long as there are any: one operation, however many are watched.</para>
/// </remarks>
internal sealed class JobWatch(IJobStore store)
{
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Watched> _byId = [];
    private bool _isLooking;

    /// <summary>How many jobs are watched. For tests and views.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _byId.Count;
        }
    }

    /// <summary>The versions of a job from now on, ending with its final state.</summary>
    /// <param name="id">The job.</param>
    /// <param name="after">Only versions greater than this one.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="JobStoreUnavailableException">The store cannot be read.</exception>
    public async IAsyncEnumerable<Job> WatchAsync(Guid id, long after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        Watched watched = Join(id);
        try
        {
            Task next = watched.Look().Next;
            Job? job = await store.GetAsync(id, cancellation);
            if (job is not null) watched.Seen(job);
            while (job is not null)
            {
                if (job.Version > after)
                {
                    after = job.Version;
                    yield return job;
                }
                if (job.State.IsFinal()) yield break;
                await next.WaitAsync(cancellation);
                (next, Job? latest, bool isGone, ExceptionDispatchInfo? fault) = watched.Look();
                fault?.Throw(); // of a read after the one that was waited for: what it would have found is not told again
                if (isGone) yield break;
                job = latest ?? job;
            }
        }
        finally
        {
            Leave(id, watched);
        }
    }

    /// <summary>A job has changed.</summary>
    internal void Changed(JobChange change)
    {
        Watched? watched;
        lock (_lock)
        {
            if (!_byId.TryGetValue(change.Id, out watched)) return;
        }
        watched.Read(change.Version);
    }

    /// <summary>Any job may have changed.</summary>
    internal void MayHaveMissed()
    {
        Watched[] all;
        lock (_lock) all = [.. _byId.Values];
        foreach (Watched watched in all) watched.Read(long.MaxValue);
    }

    private Watched Join(Guid id)
    {
        lock (_lock)
        {
            if (!_byId.TryGetValue(id, out Watched? watched)) _byId.Add(id, watched = new Watched(store, id));
            watched.Watchers++;
            if (!store.TellsOfOthers && !_isLooking)
            {
                _isLooking = true;
                // Whoever watches first is not who looks. It ends with the last watcher, and nothing in it can fail.
                using AsyncFlowControl flow = ExecutionContext.SuppressFlow();
                _ = LookAsync();
            }
            return watched;
        }
    }

    private async Task LookAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (true)
        {
            await Task.Delay(LookPause);
            Watched[] all;
            lock (_lock)
            {
                if (_byId.Count == 0)
                {
                    _isLooking = false;
                    return;
                }
                all = [.. _byId.Values];
            }
            try
            {
                IReadOnlyList<int> changed = await store.FindChangedAsync([.. all.Select(static w => w.Known)], CancellationToken.None);
                foreach (int index in changed) all[index].Read(long.MaxValue);
            }
            catch (Exception)
            {
                // The store is away. A watcher that reads the job by itself is told so; this one asks again.
            }
        }
    }

    private void Leave(Guid id, Watched watched)
    {
        lock (_lock)
        {
            if (--watched.Watchers == 0) _byId.Remove(id);
        }
    }

    private sealed class Watched(IJobStore store, Guid id)
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _next = NewSignal();
        private bool _isReading;
        private bool _isToldAgain;
        private Job? _latest;
        private bool _isGone; // the job is not there any more
        private ExceptionDispatchInfo? _fault; // of the last read

        /// <summary>Guarded by the lock of the outer type.</summary>
        public int Watchers { get; set; }

        /// <summary>The job and the latest version of it that was read; 0 if it has not been read yet.</summary>
        public KnownVersion Known
        {
            get
            {
                lock (_lock) return new KnownVersion(id, _latest?.Version ?? 0);
            }
        }

        /// <summary>What the last read has found, and what completes when another has found something else.</summary>
        public (Task Next, Job? Latest, bool IsGone, ExceptionDispatchInfo? Fault) Look()
        {
            lock (_lock) return (_next.Task, _latest, _isGone, _fault);
        }

        /// <summary>A watcher has read the job by itself.</summary>
        public void Seen(Job job)
        {
            lock (_lock)
            {
                if (_latest is { } latest && latest.Version >= job.Version) return;
                _latest = job;
                // Others may have read an older version. This watcher finds nothing new, and waits again.
                _next.TrySetResult();
                _next = NewSignal();
            }
        }

        /// <summary>Reads the job unless the version is known already.</summary>
        public void Read(long version)
        {
            lock (_lock)
            {
                if (_latest is { } latest && latest.Version >= version) return;
                _isToldAgain = true;
                if (_isReading) return;
                _isReading = true;
            }
            // Whoever tells of a change is not kept waiting. Nothing waits for this task, and nothing in it can fail unseen.
            _ = ReadUntilKnownAsync();
        }

        private async Task ReadUntilKnownAsync()
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            while (true)
            {
                lock (_lock) _isToldAgain = false;
                Job? job = null;
                Exception? fault = null;
                try
                {
                    job = await store.GetAsync(id, CancellationToken.None);
                }
                catch (Exception e)
                {
                    // Told to those who wait; they may come again.
                    fault = e;
                }
                lock (_lock)
                {
                    TaskCompletionSource signal = _next;
                    if (fault is not null || job is null || job.Version > (_latest?.Version ?? 0)) _next = NewSignal();
                    _fault = fault is null ? null : ExceptionDispatchInfo.Capture(fault);
                    if (fault is null)
                    {
                        _isGone = job is null;
                        _latest = job ?? _latest;
                    }
                    if (fault is not null)
                    {
                        signal.TrySetException(fault);
                        _ = signal.Task.Exception; // seen, even if nobody waits any more
                    }
                    else if (signal != _next)
                    {
                        signal.TrySetResult();
                    }
                    if (!_isToldAgain || fault is not null)
                    {
                        _isReading = false;
                        return;
                    }
                }
            }
        }

        private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
