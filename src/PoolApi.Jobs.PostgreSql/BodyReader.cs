using System.Data;
using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Reads large bodies in pieces, each by a short statement. Thread-safe.</summary>
/// <remarks>
/// <para>So a body may take longer than the server's limit for one statement. Each piece must arrive within <see cref="DatabaseLimits.StatementSeconds"/>, which takes a
/// link of some 50 kB/s. A failed piece is read again, and the earlier ones are kept. The column is stored uncompressed, so that the server reads only
/// the requested part.</para>
/// <para>Claims read one body at a time and results two, because more would slow each other down. A connection is held for one piece only, so that other
/// operations get one.</para>
/// </remarks>
internal sealed class BodyReader(Database database, string schema) : IDisposable
{
    private const int Piece = 512 * 1024;
    private const int Tries = 5;

    private readonly string _payload = $"select substring(p.body from $2 for $3) from {schema}.payloads p where p.job_id = $1";

    // The version detects a result that was replaced meanwhile.
    private readonly string _result =
        $"""
        select substring(r.body from $2 for $3) from {schema}.results r join {schema}.jobs j on j.id = r.job_id where r.job_id = $1 and j.version = $4
        """;

    private readonly SemaphoreSlim _payloads = new(1);
    private readonly SemaphoreSlim _results = new(2);

    /// <summary>Reads the body of a job's payload.</summary>
    /// <returns><see langword="null"/> if it was deleted.</returns>
    public Task<byte[]?> PayloadAsync(Guid job, long length, CancellationToken cancellation) =>
        ReadAsync(_payloads, _payload, job, null, length, cancellation);

    /// <summary>Reads the body of a job's result.</summary>
    /// <returns><see langword="null"/> if it was deleted, or the job has changed.</returns>
    public Task<byte[]?> ResultAsync(Guid job, long version, long length, CancellationToken cancellation) =>
        ReadAsync(_results, _result, job, version, length, cancellation);

    public void Dispose()
    {
        _payloads.Dispose();
        _results.Dispose();
    }

    private async Task<byte[]?> ReadAsync(SemaphoreSlim lane, string sql, Guid job, long? version, long length, CancellationToken cancellation)
    {
        await lane.WaitAsync(cancellation);
        try
        {
            byte[] body = GC.AllocateUninitializedArray<byte>(checked((int)length));
            for (int read = 0; read < body.Length;)
            {
                int count = Math.Min(Piece, body.Length - read);
                if (!await ReadPieceAsync(sql, job, version, body.AsMemory(read, count), read, cancellation)) return null;
                read += count;
            }
            return body;
        }
        finally
        {
            lane.Release();
        }
    }

    private async Task<bool> ReadPieceAsync(string sql, Guid job, long? version, Memory<byte> into, int from, CancellationToken cancellation)
    {
        RetryPause pause = default;
        for (int tries = 1; ; tries++)
        {
            try
            {
                // Each try has its own buffer, because an abandoned try may still write into its buffer.
                byte[]? piece = await database.RunAsync(
                    connection => PieceAsync(connection, sql, job, version, from, into.Length), mayRepeat: true, cancellation, TimeSpan.FromSeconds(database.Limits.LongCommandSeconds + 1));
                if (piece?.Length != into.Length) return false;
                piece.CopyTo(into);
                return true;
            }
            catch (JobStoreUnavailableException) when (tries < Tries)
            {
                await Task.Delay(pause.Next(), cancellation);
            }
        }
    }

    private async Task<byte[]?> PieceAsync(NpgsqlConnection connection, string sql, Guid job, long? version, int from, int count)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = database.Limits.LongCommandSeconds };
        command.Parameters.With(NpgsqlDbType.Uuid, job).With(NpgsqlDbType.Integer, from + 1).With(NpgsqlDbType.Integer, count);
        if (version is { } known) command.Parameters.With(NpgsqlDbType.Bigint, known);
        await command.PrepareAsync();
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(CommandBehavior.SingleRow);
        return await reader.ReadAsync() && !reader.IsDBNull(0) ? reader.GetFieldValue<byte[]>(0) : null;
    }
}
