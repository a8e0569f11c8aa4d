using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Reads jobs, lists and counts. Thread-safe.</summary>
/// <remarks>
/// A list reads an index from the newest job and stops when the page is full. A filter by kind or client reads one range for each state and merges them.
/// If several filters have no common index, the best one depends on their values. Only such a list is planned each time, although planning takes longer
/// than running it.
/// </remarks>
internal sealed class Reading(Database database, string schema, BodyReader bodies) : IDisposable
{
    /// <summary>
    /// Counting reads a whole index. So a count is valid for this many times its duration, at most for <see cref="LongestCountPause"/>.
    /// </summary>
    private const int CountPause = 20;

    /// <summary>The most tries to read a large result. A try fails if the result is replaced meanwhile. So many failures cannot be chance.</summary>
    private const int ResultTries = 3;

    private static readonly TimeSpan LongestCountPause = TimeSpan.FromSeconds(15);

    private readonly string _get = $"select {JobColumns.Of("j")} from {schema}.jobs j where j.id = $1";
    private readonly string _getResult =
        $"""
        select {JobColumns.Of("j")}, j.swept, r.status, r.content_type, octet_length(r.body), case when octet_length(r.body) <= $2 then r.body end
        from {schema}.jobs j left join {schema}.results r on r.job_id = j.id where j.id = $1
        """;

    private readonly string _getPayload =
        $"""
        select p.method, p.path, p.query, p.content_type, p.trace_parent, octet_length(p.body), case when octet_length(p.body) <= $2 then p.body end
        from {schema}.payloads p where p.job_id = $1
        """;

    // A loose index scan: one step along the index for each client.
    private readonly string _clients =
        $"""
        with recursive clients (client) as (
          (select client from {schema}.jobs where client is not null order by client limit 1)
          union all
          select (select j.client from {schema}.jobs j where j.client is not null and j.client > c.client order by j.client limit 1)
          from clients c where c.client is not null
        )
        select client from clients where client is not null
        """;

    private readonly string _byKeys = $"select {JobColumns.Of("j")} from {schema}.jobs j where j.key = any($1) order by j.id desc limit {IJobStore.MostOfKey}";

    private readonly SemaphoreSlim _counting = new(1);
    private Dictionary<JobState, long>? _counts;
    private long _countedAt;
    private TimeSpan _countFor;

    public async ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellation) => await database.RunAsync(
        async connection =>
        {
            await using var command = new NpgsqlCommand(_get, connection);
            command.Parameters.With(NpgsqlDbType.Uuid, id);
            await command.PrepareAsync();
            await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
            return await reader.ReadAsync() ? JobColumns.Read(reader) : null;
        },
        mayRepeat: true, cancellation);

    public async ValueTask<JobWithResult?> GetResultAsync(Guid id, long maxBytes, CancellationToken cancellation)
    {
        JobWithResult? found = await GetResultAsync(id, (int)Math.Min(maxBytes, BodyLimits.Inline), cancellation);
        for (int tries = 1; found is { UnreadBytes: > 0 and var length } && length <= maxBytes; tries++)
        {
            if (await bodies.ResultAsync(id, found.Job.Version, length, cancellation) is { } body)
                return found with { Result = found.Result! with { Body = body }, UnreadBytes = 0 };
            if (tries == ResultTries) throw new JobStoreUnavailableException("The result changes while it is read.");
            found = await GetResultAsync(id, (int)Math.Min(maxBytes, BodyLimits.Inline), cancellation);
        }
        return found;
    }

    private async Task<JobWithResult?> GetResultAsync(Guid id, int inlineBytes, CancellationToken cancellation) => await database.RunAsync(
        async connection =>
        {
            await using var command = new NpgsqlCommand(_getResult, connection);
            command.Parameters.With(NpgsqlDbType.Uuid, id).With(NpgsqlDbType.Integer, inlineBytes);
            await command.PrepareAsync();
            await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
            if (!await reader.ReadAsync()) return null;
            const int Then = JobColumns.Count;
            bool isSwept = reader.GetBoolean(Then);
            if (reader.IsDBNull(Then + 1)) return new JobWithResult(JobColumns.Read(reader), null, isSwept);
            byte[] body = reader.IsDBNull(Then + 4) ? [] : reader.GetFieldValue<byte[]>(Then + 4);
            return new JobWithResult(
                JobColumns.Read(reader), new JobResult(reader.GetInt32(Then + 1), JobColumns.Text(reader, Then + 2), body), isSwept)
            {
                UnreadBytes = reader.GetInt32(Then + 3) - body.Length,
            };
        },
        mayRepeat: true, cancellation, database.PatienceFor(BodyLimits.Inline));

    public async ValueTask<StoredPayload?> GetPayloadAsync(Guid id, long maxBytes, CancellationToken cancellation)
    {
        StoredPayload? found = await database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(_getPayload, connection);
                command.Parameters.With(NpgsqlDbType.Uuid, id).With(NpgsqlDbType.Integer, (int)Math.Min(maxBytes, BodyLimits.Inline));
                await command.PrepareAsync();
                await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
                if (!await reader.ReadAsync()) return null;
                byte[] body = reader.IsDBNull(6) ? [] : reader.GetFieldValue<byte[]>(6);
                var payload = new JobPayload(
                    body, reader.GetString(0), reader.GetString(1), reader.GetString(2), JobColumns.Text(reader, 3), JobColumns.Text(reader, 4));
                return new StoredPayload(payload, reader.GetInt32(5) - body.Length);
            },
            mayRepeat: true, cancellation, database.PatienceFor(BodyLimits.Inline));
        if (found is not { UnreadBytes: > 0 and var length } || length > maxBytes) return found;
        return await bodies.PayloadAsync(id, length, cancellation) is { } read ? new StoredPayload(found.Payload.WithBody(read), 0) : null;
    }

    /// <param name="keyOf">The stored form of the key for a client.</param>
    /// <param name="cancellation">Gives up.</param>
    public async ValueTask<IReadOnlyList<Job>> FindByKeyAsync(Func<string?, byte[]> keyOf, CancellationToken cancellation) => await database.RunAsync(
        async connection =>
        {
            List<byte[]> keys = [keyOf(null)];
            await using (var clients = new NpgsqlCommand(_clients, connection))
            {
                await clients.PrepareAsync();
                await using NpgsqlDataReader reader = await clients.ExecuteReaderAsync();
                while (await reader.ReadAsync()) keys.Add(keyOf(reader.GetString(0)));
            }
            await using var command = new NpgsqlCommand(_byKeys, connection);
            command.Parameters.With(NpgsqlDbType.Array | NpgsqlDbType.Bytea, keys.ToArray());
            await command.PrepareAsync();
            var found = new List<Job>();
            await using NpgsqlDataReader jobs = await command.ExecuteReaderAsync();
            while (await jobs.ReadAsync()) found.Add(JobColumns.Read(jobs));
            return found;
        },
        mayRepeat: true, cancellation);

    public async ValueTask<JobPage> ListAsync(JobQuery query, CancellationToken cancellation)
    {
        List<Job> jobs = await database.RunAsync(
            async connection =>
            {
                await using var batch = new NpgsqlBatch(connection);
                NpgsqlBatchCommand list = ListCommand(query);
                bool dependsOnValues = query.Tag is null ? query.Kind is not null && query.Client is not null : query.Kind is not null || query.Client is not null;
                // The setting is local to the transaction, which is the batch. Afterwards the session has its old setting.
                if (dependsOnValues) batch.BatchCommands.Add(new NpgsqlBatchCommand("select set_config('plan_cache_mode', 'force_custom_plan', true)"));
                batch.BatchCommands.Add(list);
                if (!dependsOnValues) await batch.PrepareAsync();
                await using NpgsqlDataReader reader = await batch.ExecuteReaderAsync();
                if (dependsOnValues) await reader.NextResultAsync();
                var found = new List<Job>(query.Limit + 1);
                while (await reader.ReadAsync()) found.Add(JobColumns.Read(reader));
                return found;
            },
            mayRepeat: true, cancellation);
        bool hasMore = jobs.Count > query.Limit;
        if (hasMore) jobs.RemoveAt(jobs.Count - 1);
        return new JobPage(jobs, hasMore);
    }

    public async ValueTask<IReadOnlyDictionary<JobState, long>> CountAsync(CancellationToken cancellation)
    {
        await _counting.WaitAsync(cancellation);
        try
        {
            if (Stopwatch.GetElapsedTime(_countedAt) < _countFor)
                return _counts ?? throw new JobStoreUnavailableException("The jobs could not be counted a moment ago.");
            long since = Stopwatch.GetTimestamp();
            try
            {
                // A caller that gives up does not end the count. Otherwise each caller would begin it again.
                return _counts = await database.RunAsync(CountAsync, mayRepeat: true, CancellationToken.None, database.Limits.CountPatience);
            }
            finally
            {
                _countedAt = Stopwatch.GetTimestamp();
                TimeSpan pause = Stopwatch.GetElapsedTime(since) * CountPause;
                _countFor = pause < LongestCountPause ? pause : LongestCountPause;
            }
        }
        finally
        {
            _counting.Release();
        }
    }

    public void Dispose() => _counting.Dispose();

    private async Task<Dictionary<JobState, long>> CountAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand($"select state, count(*) from {schema}.jobs group by state", connection) { CommandTimeout = database.Limits.LongCommandSeconds + 2 };
        var counts = JobStates.All.ToDictionary(static s => s, static _ => 0L);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync()) counts[(JobState)reader.GetInt16(0)] = reader.GetInt64(1);
        return counts;
    }

    private NpgsqlBatchCommand ListCommand(JobQuery query)
    {
        var command = new NpgsqlBatchCommand();
        NpgsqlParameterCollection parameters = command.Parameters;
        string Parameter<T>(NpgsqlDbType type, T value) => $"${parameters.With(type, value).Count}";

        string limit = Parameter(NpgsqlDbType.Integer, query.Limit + 1);
        List<string> where = [];
        if (query.Kind is { } kind) where.Add($"j.kind = {Parameter(NpgsqlDbType.Text, NpgsqlValues.Storable(kind)!)}");
        if (query.Client is { } client) where.Add($"j.client = {Parameter(NpgsqlDbType.Text, NpgsqlValues.Storable(client)!)}");
        if (query.After is { } after) where.Add($"{(query.Tag is null ? "j.id" : "t.job_id")} < {Parameter(NpgsqlDbType.Uuid, after)}");
        if (query.Tag is { } tag)
        {
            where.Add($"t.tag = {Parameter(NpgsqlDbType.Text, NpgsqlValues.Storable(tag)!)}");
            if (query.State is { } only) where.Add($"j.state = {(int)only}");
            command.CommandText =
                $"""
                select {JobColumns.Of("j")} from {schema}.tags t join {schema}.jobs j on j.id = t.job_id
                where {string.Join(" and ", where)} order by t.job_id desc limit {limit}
                """;
        }
        else if (query.State is null && query.Kind is null && query.Client is null)
        {
            string all = where.Count == 0 ? "" : $"where {where[0]}";
            command.CommandText = $"select {JobColumns.Of("j")} from {schema}.jobs j {all} order by j.id desc limit {limit}";
        }
        else
        {
            IEnumerable<JobState> states = query.State is { } one ? [one] : JobStates.All;
            string Of(JobState state) =>
                $"(select {JobColumns.Of("j")} from {schema}.jobs j where {string.Join(" and ", where.Prepend($"j.state = {(int)state}"))} "
                + $"order by j.id desc limit {limit})";
            command.CommandText = $"select * from ({string.Join(" union all ", states.Select(Of))}) as found order by id desc limit {limit}";
        }
        return command;
    }
}
