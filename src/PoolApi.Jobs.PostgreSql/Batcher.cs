namespace PoolApi.Jobs.PostgreSql;

/// <summary>
/// Makes one round trip, and one flush of the database's log, of what many callers ask for at once. While as many batches as
/// there are lanes are on their way, what comes collects for the next; nobody waits for others to come.
/// </summary>
/// <remarks>Thread-safe. What comes after <see cref="DisposeAsync"/> is refused.</remarks>
/// <param name="run">Does a batch: one result for each item, in order. If it throws, all its callers fail.</param>
/// <param name="lanes">How many batches may be on their way at once.</param>
/// <param name="maxItems">How many items a batch has at most.</param>
/// <param name="maxWeight">
/// How heavy a batch may be; an item that is heavier than a quarter of it goes alone, beside the lanes. As many of those as there are lanes
/// are on their way at once: more would only make each other slow, until all of them are late.
/// </param>
internal sealed class Batcher<TItem, TResult>(
    Func<IReadOnlyList<TItem>, Task<TResult[]>> run, int lanes, int maxItems, long maxWeight) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Queue<Entry> _waiting = new();
    private readonly Queue<Entry> _heavy = new();
    private readonly HashSet<Task> _running = [];
    private int _busy; // lanes
    private int _busyHeavy;
    private bool _isClosed;

    /// <summary>Does an item with the next batch.</summary>
    /// <param name="item">What is done.</param>
    /// <param name="cancellation">Takes it back while it waits. Once it is on its way, it is too late: what has been done is told.</param>
    /// <param name="weight">How heavy it is.</param>
    public async ValueTask<TResult> AddAsync(TItem item, CancellationToken cancellation, long weight = 0)
    {
        cancellation.ThrowIfCancellationRequested();
        var entry = new Entry(item, weight);
        Add(entry);
        await using CancellationTokenRegistration registration = cancellation.UnsafeRegister(
            static (e, token) => ((Entry)e!).Cancel(token), entry);
        return await entry.Task;
    }

    private void Add(Entry entry)
    {
        lock (_lock)
        {
            if (_isClosed) throw new JobStoreUnavailableException("The job store is closed.");
            if (entry.Weight > maxWeight / 4)
            {
                _heavy.Enqueue(entry);
                if (_busyHeavy < lanes)
                {
                    _busyHeavy++;
                    Start(HeavyLaneAsync);
                }
            }
            else
            {
                _waiting.Enqueue(entry);
                if (_busy < lanes)
                {
                    _busy++;
                    Start(LaneAsync);
                }
            }
        }
    }

    /// <summary>Waits for all that was asked for. Refuses more.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] running;
        lock (_lock)
        {
            _isClosed = true;
            running = [.. _running];
        }
        await Task.WhenAll(running);
    }

    /// <summary>Starts a lane. The lock is held.</summary>
    private void Start(Func<Task> lane)
    {
        Task task;
        // A batch is of many callers: it is part of no one's trace.
        using (ExecutionContext.SuppressFlow()) task = lane();
        _running.Add(task);
        _ = task.ContinueWith(Forget, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private void Forget(Task task)
    {
        lock (_lock) _running.Remove(task);
    }

    /// <summary>One heavy item after another.</summary>
    private async Task HeavyLaneAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (true)
        {
            Entry? entry;
            lock (_lock)
            {
                while (_heavy.TryDequeue(out entry) && !entry.TryTake())
                {
                }
                if (entry is null)
                {
                    _busyHeavy--;
                    return;
                }
            }
            await RunAsync([entry]);
        }
    }

    private async Task LaneAsync()
    {
        while (true)
        {
            // Those whose batch has just ended, and those who were let go together, get the chance to ask again before this goes.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            Entry[] batch;
            lock (_lock)
            {
                if (_waiting.Count == 0)
                {
                    _busy--;
                    return;
                }
                batch = Take();
            }
            if (batch.Length > 0) await RunAsync(batch);
        }
    }

    private Entry[] Take()
    {
        var batch = new List<Entry>(Math.Min(_waiting.Count, maxItems));
        long weight = 0;
        while (batch.Count < maxItems && _waiting.TryPeek(out Entry? next))
        {
            if (batch.Count > 0 && weight + next.Weight > maxWeight) break;
            _waiting.Dequeue();
            if (!next.TryTake()) continue;
            weight += next.Weight;
            batch.Add(next);
        }
        return [.. batch];
    }

    private async Task RunAsync(Entry[] batch)
    {
        TResult[] results;
        try
        {
            results = await run(Array.ConvertAll(batch, static e => e.Item));
        }
        catch (JobStoreRefusedException) when (batch.Length > 1)
        {
            // One of them is something that the database cannot store: it fails alone.
            foreach (Entry entry in batch) await RunAsync([entry]);
            return;
        }
        catch (Exception e)
        {
            foreach (Entry entry in batch) entry.Fail(e);
            return;
        }
        for (int i = 0; i < batch.Length; i++) batch[i].Complete(results[i]);
    }

    private sealed class Entry(TItem item, long weight)
    {
        private readonly TaskCompletionSource<TResult> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        private int _isTaken; // into a batch, or back

        public TItem Item => item;

        public long Weight => weight;

        public Task<TResult> Task => _done.Task;

        public bool TryTake() => Interlocked.Exchange(ref _isTaken, 1) == 0;

        public void Cancel(CancellationToken token)
        {
            if (TryTake()) _done.TrySetCanceled(token);
        }

        public void Complete(TResult result) => _done.TrySetResult(result);

        public void Fail(Exception e) => _done.TrySetException(e);
    }
}
