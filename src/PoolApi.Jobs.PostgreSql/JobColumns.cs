using Npgsql;
using PoolApi.Threading;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Selects the columns of a job, and reads a job from a row that has them.</summary>
internal static class JobColumns
{
    /// <summary>The number of columns. A statement's own columns follow them.</summary>
    public const int Count = 21;

    private const string LeaseLeft = "lease_left";

    private static readonly string[] Names =
    [
        "id", "kind", "client", "state", "version", "attempt", "max_attempts", "priority", "tags", "created_at", "run_at",
        "deadline", "started_at", "finished_at", "progress", "worker", "error_name", "error_detail", "cancel_requested", "earlier",
    ];

    /// <summary>The columns of the table of the jobs under this name, with what is left of the lease.</summary>
    public static string Of(string table) =>
        $"{Stored(table)}, case when {table}.state = 1 then extract(epoch from {table}.lease_until - now())::double precision end as {LeaseLeft}";

    /// <summary>The columns of a query that has selected <see cref="Of"/>.</summary>
    public static string From(string query) => $"{Stored(query)}, {query}.{LeaseLeft}";

    private static string Stored(string table) => string.Join(", ", Names.Select(name => $"{table}.{name}"));

    public static Job Read(NpgsqlDataReader row) => new()
    {
        Id = row.GetGuid(0),
        Kind = row.GetString(1),
        Client = Text(row, 2),
        State = (JobState)row.GetInt16(3),
        Version = row.GetInt64(4),
        Attempt = row.GetInt32(5),
        MaxAttempts = row.GetInt32(6),
        Priority = (WorkPriority)row.GetInt16(7),
        Tags = row.GetFieldValue<string[]>(8),
        CreatedAt = Time(row, 9)!.Value,
        RunAt = Time(row, 10)!.Value,
        Deadline = Time(row, 11),
        StartedAt = Time(row, 12),
        FinishedAt = Time(row, 13),
        Progress = row.IsDBNull(14) ? null : row.GetDouble(14),
        Worker = Text(row, 15),
        Error = row.IsDBNull(16) ? null : new JobError(row.GetString(16), row.GetString(17)),
        IsCancelRequested = row.GetBoolean(18),
        Earlier = PastAttempts.Parse(Text(row, 19)),
        LeaseLeft = row.IsDBNull(20) ? null : TimeSpan.FromSeconds(row.GetDouble(20)),
    };

    public static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    public static DateTimeOffset? Time(NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? null : new DateTimeOffset(row.GetDateTime(column), TimeSpan.Zero);
}
