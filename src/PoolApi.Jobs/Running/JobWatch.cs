using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Running;

/// <summary>Lets any number of callers wait for the next version of a job. The store is read once for all watchers of a job. Thread-safe.</summary>
/// <remarks>
/// <para>Each watched job has a <see cref="Watched"/> with the latest version and a signal that is replaced when a newer version is read. A slow
/// watcher skips versions and sees the latest. It costs no more memory than a fast one.</para>
/// <para>No change is missed: a watcher registers before its first read, and a change that is reported during a read causes another read.</para>
/// <para>If the store does not report the changes of other instances, it is queried four times a second while jobs are watched. One operation
/// finds all watched jobs that have changed.</para>
/// </remarks>
internal sealed class JobWatch(IJobStore store)
{
    private static readonly TimeSpan PollPause = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Watched> _byId = [];
    private bool _isPolling;

    /// <summary>The number of watched jobs.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _byId.Count;
        }
    }

    /// <summary>Whether a watched job is being read after a change. For tests.</summary>
    internal bool IsReading(Guid id)
    {
        lock (_lock) return _byId.TryGetValue(id, out Watched? watched) && watched.IsReading;
    }

    /// <summary>Returns the versions of a job from now on. The sequence ends after the job's final state, or when the job is deleted.</summary>
    /// <param name="id">The job.</param>
    /// <param name="after">Only versions greater than this one are returned.</param>
    /// <param name="cancellation">Ends the sequence.</param>
    /// <exception cref="JobStoreUnavailableException">The store cannot be read.</exception>
    public async IAsyncEnumerable<Job> WatchAsync(Guid id, long after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        Watched watched = Join(id);
        try
        {
            var (next, _, _, earlier) = watched.Current(); // that fault is older than this watcher's own read, so it is not thrown
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
                (next, Job? latest, bool isGone, ExceptionDispatchInfo? fault) = watched.Current();
                if (!ReferenceEquals(fault, earlier)) fault?.Throw(); // a later read has failed, and the change that it missed is not reported again
                if (isGone) yield break;
                job = latest ?? job;
            }
        }
        finally
        {
            Leave(id, watched);
        }
    }

    /// <summary>Reads a watched job that has changed.</summary>
    internal void Changed(JobChange change)
    {
        Watched? watched;
        lock (_lock)
        {
            if (!_byId.TryGetValue(change.Id, out watched)) return;
        }
        watched.Read(change.Version);
    }

    /// <summary>Reads all watched jobs, because changes may have been missed.</summary>
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
            if (!store.ReportsRemoteChanges && !_isPolling)
            {
                _isPolling = true;
                // Not awaited: it serves all watchers and ends with the last. It catches every exception.
                using AsyncFlowControl flow = ExecutionContext.SuppressFlow();
                _ = PollAsync();
            }
            return watched;
        }
    }

    private async Task PollAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (true)
        {
            await Task.Delay(PollPause);
            Watched[] all;
            lock (_lock)
            {
                if (_byId.Count == 0)
                {
                    _isPolling = false;
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
                // The store is unavailable. Watchers get the exceptions of their own reads; this loop tries again.
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
        private bool _isReadRequested;
        private Job? _latest;
        private bool _isGone; // the job is deleted
        private ExceptionDispatchInfo? _fault; // of the last read

        /// <summary>The number of watchers. Guarded by the lock of the outer type.</summary>
        public int Watchers { get; set; }

        /// <summary>Whether a read is under way because a change was reported or may have been missed. The watchers' own first reads do not count.</summary>
        public bool IsReading
        {
            get
            {
                lock (_lock) return _isReading;
            }
        }

        /// <summary>The job and its latest version that was read; 0 if none was read yet.</summary>
        public KnownVersion Known
        {
            get
            {
                lock (_lock) return new KnownVersion(id, _latest?.Version ?? 0);
            }
        }

        /// <summary>Returns the result of the last read, and a task that completes when a read finds another result.</summary>
        public (Task Next, Job? Latest, bool IsGone, ExceptionDispatchInfo? Fault) Current()
        {
            lock (_lock) return (_next.Task, _latest, _isGone, _fault);
        }

        /// <summary>Records a version that a watcher has read.</summary>
        public void Seen(Job job)
        {
            lock (_lock)
            {
                if (_latest is { } latest && latest.Version >= job.Version) return;
                _latest = job;
                // Wakes the watchers that have an older version. The calling watcher finds nothing new and waits again.
                _next.TrySetResult();
                _next = NewSignal();
            }
        }

        /// <summary>Reads the job unless this version or a newer one was already read.</summary>
        public void Read(long version)
        {
            lock (_lock)
            {
                if (_latest is { } latest && latest.Version >= version) return;
                _isReadRequested = true;
                if (_isReading) return;
                _isReading = true;
            }
            // Not awaited: the caller is the store's thread. The method catches every exception and passes it to the watchers.
            _ = ReadUntilKnownAsync();
        }

        private async Task ReadUntilKnownAsync()
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            while (true)
            {
                lock (_lock) _isReadRequested = false;
                Job? job = null;
                Exception? fault = null;
                try
                {
                    job = await store.GetAsync(id, CancellationToken.None);
                }
                catch (Exception e)
                {
                    // Passed to the watchers below. They may try again.
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
                        // A watcher may have read a newer version meanwhile. This read must not replace it, because no further change may be reported.
                        if (job is not null && !(_latest?.Version > job.Version)) _latest = job;
                    }
                    if (fault is not null)
                    {
                        signal.TrySetException(fault);
                        _ = signal.Task.Exception; // observed, also if no watcher is left
                    }
                    else if (signal != _next)
                    {
                        signal.TrySetResult();
                    }
                    if (!_isReadRequested || fault is not null)
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
