using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace PoolApi.Jobs.Sqlite;

/// <summary>Stores jobs in one file, with SQLite. For one machine; needs no installation. Thread-safe.</summary>
/// <remarks>
/// <code>
///   callers ──► inbox ──► jobs-writer: all that waits, one transaction, one COMMIT ──► callers
///   callers ──► inbox ──► jobs-reader-0, -1: each with a connection of its own ──► callers
/// </code>
/// <para>Beside the file are SQLite's own <c>-wal</c> and <c>-shm</c>, and <c>-owner</c>, whose lock shows processes whether others have the store
/// open. Several processes of one machine may use the file, but not over a network file system. They do not notify each other of changes, so a
/// listener receives only the changes of its own process.</para>
/// <para>If the disk is full or fails, or the files were deleted or moved, operations throw <see cref="JobStoreUnavailableException"/> until that is
/// repaired. A store on a full disk can still be opened.</para>
/// <para>Concurrent operations share a commit, so throughput grows with the number of concurrent callers. One operation costs one sync of the
/// disk.</para>
/// </remarks>
internal sealed class SqliteJobStore : IJobStore
{
    private const int Readers = 2;

    private readonly StoreFile _file;
    private readonly Writer _writer;
    private readonly OperationInbox<Operation<ReaderSession>> _reads = new();
    private readonly StoreThread _writing;
    private readonly List<StoreThread> _reading = [];
    private readonly Disposal _disposal;
    private int _isOpening;

    /// <summary>Creates a store. It does nothing until it is opened.</summary>
    /// <param name="path">The file. It is created with its directory if it does not exist.</param>
    /// <param name="time">The clock by which jobs are due.</param>
    /// <param name="logger">The log, for a start on a full disk and for a stop that could not checkpoint.</param>
    public SqliteJobStore(string path, TimeProvider time, ILogger<SqliteJobStore>? logger = null)
        : this(path, time, maxPages: null, logger: logger)
    {
    }

    /// <summary>Creates a store for tests.</summary>
    /// <param name="path">The file.</param>
    /// <param name="time">The clock.</param>
    /// <param name="maxPages">The largest size of the file, in pages of 4 KiB. Beyond it the disk counts as full.</param>
    /// <param name="observer">Receives each step that matters for durability, on the thread that does it.</param>
    /// <param name="logger">The log.</param>
    internal SqliteJobStore(
        string path, TimeProvider time, int? maxPages, Action<StoreStep, string>? observer = null, ILogger<SqliteJobStore>? logger = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _file = new StoreFile(Path.GetFullPath(path), maxPages, observer);
        _writer = new Writer(_file, time, logger ?? NullLogger<SqliteJobStore>.Instance);
        _writing = new StoreThread("jobs-writer", _writer.Open, _writer.Work);
        _disposal = new Disposal(CloseAsync);
    }

    /// <inheritdoc/>
    public string Location => $"the file {_file.Path}";

    /// <inheritdoc/>
    public IJobStoreListener? Listener
    {
        get => _writer.Listener;
        set => _writer.Listener = value;
    }

    /// <summary>Whether other processes had the file open when this one opened it, or have written to it since.</summary>
    public bool IsShared => _file.IsShared;

    /// <inheritdoc/>
    public bool ReportsRemoteChanges => false;

    /// <summary>The number of committed transactions. Smaller than that of operations, because operations share transactions.</summary>
    internal long Commits => _writer.Commits;

    /// <inheritdoc/>
    public async Task OpenAsync(CancellationToken cancellation)
    {
        if (Interlocked.Exchange(ref _isOpening, 1) != 0) throw new InvalidOperationException("The store is opened once.");
        _writing.Start();
        await _writing.Opened.WaitAsync(cancellation);
        for (int i = 0; i < Readers; i++)
        {
            var reader = new Reader(_file, _reads);
            var thread = new StoreThread($"jobs-reader-{i}", reader.Open, reader.Work);
            _reading.Add(thread);
            thread.Start();
            try
            {
                await thread.Opened.WaitAsync(cancellation);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw StoreFaults.AtOpen(e, _file.Path);
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask<JobAcceptance> AcceptAsync(NewJob job, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(job);
        return WriteAsync(static (session, job) => session.Writes.Accept(job, null, default), job, cancellation, job.Payload.Body.Length);
    }

    /// <inheritdoc/>
    public ValueTask<JobAcceptance> AcceptAndClaimAsync(NewJob job, string owner, TimeSpan lease, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(job);
        return WriteAsync(
            static (session, of) => session.Writes.Accept(of.job, of.owner, of.lease), (job, owner, lease), cancellation, job.Payload.Body.Length);
    }

    /// <inheritdoc/>
    public ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        return WriteAsync(
            static (session, of) => session.Writes.Claim(of.owner, of.max, of.maxBytes, of.lease, of.kinds, session.Maintenance.Release), (owner, max, maxBytes, lease, kinds), cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>?> ReadBodyAsync(JobClaim claim, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(claim);
        return ReadAsync(static (session, id) => session.Jobs.Body(id), claim.Job.Id, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<bool> FinishAsync(JobClaim claim, JobEnd ending, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(ending);
        return WriteAsync(
            static (session, of) => session.Writes.Finish(of.claim, of.ending), (claim, ending), cancellation, ending.Result?.Body.Length ?? 0);
    }

    /// <inheritdoc/>
    public async ValueTask HandBackAsync(IReadOnlyList<JobClaim> claims, CancellationToken cancellation) =>
        await WriteAsync(static (session, claims) => session.Writes.HandBack(claims), claims, cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<LeaseState>> RenewAsync(IReadOnlyList<JobClaim> claims, TimeSpan lease, CancellationToken cancellation) =>
        WriteAsync(static (session, of) => session.Writes.Renew(of.claims, of.lease), (claims, lease), cancellation);

    /// <inheritdoc/>
    public async ValueTask ReportProgressAsync(JobClaim claim, double progress, CancellationToken cancellation) =>
        await WriteAsync(static (session, of) => session.Writes.Report(of.claim, of.progress), (claim, progress), cancellation);

    /// <inheritdoc/>
    public ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellation) =>
        ReadAsync(static (session, id) => session.Jobs.Get(id), id, cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<int>> FindChangedAsync(IReadOnlyList<KnownVersion> known, CancellationToken cancellation) =>
        ReadAsync(static (session, known) => session.Changes.Find(known), known, cancellation);

    /// <inheritdoc/>
    public ValueTask<JobWithResult?> GetResultAsync(Guid id, long maxBytes, CancellationToken cancellation) =>
        ReadAsync(static (session, of) => session.Jobs.WithResult(of.id, of.maxBytes), (id, maxBytes), cancellation);

    /// <inheritdoc/>
    public ValueTask<StoredPayload?> GetPayloadAsync(Guid id, long maxBytes, CancellationToken cancellation) =>
        ReadAsync(static (session, of) => session.Jobs.Payload(of.id, of.maxBytes), (id, maxBytes), cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<Job>> FindByKeyAsync(string key, CancellationToken cancellation) =>
        ReadAsync(static (session, key) => session.Jobs.OfKey(key), key, cancellation);

    /// <inheritdoc/>
    public ValueTask<JobPage> ListAsync(JobQuery query, CancellationToken cancellation) =>
        ReadAsync(static (session, query) => session.Lists.List(query), query, cancellation);

    /// <inheritdoc/>
    public ValueTask<JobTransition?> CancelAsync(Guid id, CancellationToken cancellation) =>
        WriteAsync(static (session, id) => session.Writes.Cancel(id), id, cancellation);

    /// <inheritdoc/>
    public ValueTask<JobTransition?> RetryAsync(Guid id, CancellationToken cancellation) =>
        WriteAsync(static (session, id) => session.Writes.Retry(id), id, cancellation);

    /// <inheritdoc/>
    public async ValueTask<MaintenanceReport> MaintainAsync(MaintenanceRules rules, CancellationToken cancellation)
    {
        int limit = rules.Limit;
        int expired = await WriteAsync(static (session, rules) => session.Maintenance.Expire(rules.Limit), rules, cancellation);
        SqliteMaintenance.Lost lost = !rules.MayRedeliver ? SqliteMaintenance.Lost.None : await WriteAsync(
            static (session, rules) => session.Maintenance.Redeliver(rules.MaxRedeliveries, rules.Limit), rules, cancellation);
        SqliteMaintenance.Swept removed = default, swept = default;
        Exception? fault = null;
        try
        {
            removed = await WriteAsync(static (session, rules) => session.Maintenance.Remove(rules), rules, cancellation);
            swept = await WriteAsync(static (session, rules) => session.Maintenance.Sweep(rules), rules, cancellation);
        }
        catch (JobStoreException e)
        {
            fault = e;
        }
        bool more = expired == limit || lost.Count == limit || swept.MayBeMore || removed.MayBeMore;
        return new MaintenanceReport(expired, lost.Redelivered, lost.Poisoned, swept.Count + removed.Count, more) { SweepFault = fault };
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<JobState, long>> CountAsync(CancellationToken cancellation) =>
        ReadAsync(static (session, _) => session.Jobs.Counts(), 0, cancellation);

    /// <summary>Completes the operations that were given, and closes the file.</summary>
    public ValueTask DisposeAsync() => _disposal.RunAsync();

    private async Task CloseAsync()
    {
        _reads.Close();
        _writer.Refuse();
        // A store that was never opened has no threads to join.
        if (Interlocked.Exchange(ref _isOpening, 1) == 0) return;
        // The writer closes last, because only the last connection can checkpoint the log. If two closed at once, both would leave it.
        foreach (StoreThread thread in _reading) await thread.JoinAsync();
        _writer.Close();
        Task closed = CloseFileAsync();
        // If the store is not open yet, the writer's thread may wait for another process that prepares the file, for as long as that takes. The thread
        // closes the file when it gets the lock, or ends with this process.
        if (_writing.Opened.IsCompleted) await closed;
    }

    private async Task CloseFileAsync()
    {
        await _writing.JoinAsync();
        _file.Dispose();
    }

    private ValueTask<TResult> WriteAsync<TState, TResult>(
        Func<WriterSession, TState, TResult> work, TState state, CancellationToken cancellation, long bytes = 0)
    {
        var operation = new Operation<WriterSession, TState, TResult>(work, state, cancellation) { Bytes = bytes };
        return _writer.TryAdd(operation) ? operation.Completion : throw Closed();
    }

    private ValueTask<TResult> ReadAsync<TState, TResult>(
        Func<ReaderSession, TState, TResult> work, TState state, CancellationToken cancellation)
    {
        var operation = new Operation<ReaderSession, TState, TResult>(work, state, cancellation);
        return _reads.TryAdd(operation) ? operation.Completion : throw Closed();
    }

    private JobStoreUnavailableException Closed() => new($"The job store '{_file.Path}' is closed.");
}
