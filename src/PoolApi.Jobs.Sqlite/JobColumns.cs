using System.Text.Json;
using System.Text.Json.Serialization;
using PoolApi.Threading;

namespace PoolApi.Jobs.Sqlite;

/// <summary>The columns of the table of jobs, in one order for all statements that read or write them.</summary>
internal static partial class JobColumns
{
    /// <summary>The columns that never change.</summary>
    private const string Fixed = "id, kind, client, max_attempts, priority, tags, created_at, timeout, idempotency_key";

    /// <summary>The columns that change.</summary>
    private const string Changing =
        "state, version, attempt, run_at, deadline, started_at, finished_at, progress, worker, error_name, error_detail, cancel, claim, " +
        "ended_claim, redeliveries, lease, payload, result, swept, " +
        "due, expires, ended, suspicion, deaths, accompanied, alone_until, lost_claim, lost_alone, earlier";

    /// <summary>All columns, for a query that <see cref="Read"/> reads.</summary>
    public const string All = Fixed + ", " + Changing;

    public const string Insert = $"INSERT INTO jobs ({All}) VALUES ({FixedValues}, {ChangingValues})";
    public const string Update = $"UPDATE jobs SET ({Changing}) = ({ChangingValues}) WHERE id = ?";

    private const string FixedValues = "?, ?, ?, ?, ?, ?, ?, ?, ?";
    private const string ChangingValues = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?";

    /// <summary>Formats strings as a JSON array.</summary>
    public static string Words(IReadOnlyList<string> words) => JsonSerializer.Serialize(words, WordsJson.Default.IReadOnlyListString);

    /// <summary>Binds the columns that never change.</summary>
    public static Statement BindFixed(this Statement statement, JobRow row) => statement
        .Bind(row.Id).Bind(row.Kind).Bind(row.Client).Bind(row.MaxAttempts).Bind((int)row.Priority)
        .Bind(row.Tags.Count == 0 ? null : Words(row.Tags))
        .Bind(row.CreatedAt).Bind((long?)row.Timeout?.TotalMicroseconds).Bind(row.IdempotencyKey);

    /// <summary>Binds the columns that change.</summary>
    public static Statement BindChanging(this Statement statement, JobRow row) => statement
        .Bind((int)row.State).Bind(row.Version).Bind(row.Attempt).Bind(row.RunAt).Bind(row.Deadline).Bind(row.StartedAt).Bind(row.FinishedAt)
        .Bind(row.Progress).Bind(row.Worker).Bind(row.Error?.Name).Bind(row.Error?.Detail).Bind(row.IsCancelRequested).Bind(row.Claim)
        .Bind(row.EndedClaim).Bind(row.Redeliveries).Bind(row.LeaseEnd).Bind(row.Payload).Bind(row.Result).Bind(row.IsSwept)
        .Bind(row.Due).Bind(row.Expires).Bind(row.Ended).Bind(row.Suspicion).Bind(row.Deaths).Bind(row.IsAccompanied).Bind(row.AloneUntil)
        .Bind(row.LostClaim).Bind(row.WasLostAlone).Bind(PastAttempts.ToText(row.Earlier));

    /// <summary>Reads the current row of a query.</summary>
    public static JobRow Read(Statement from)
    {
        // In the order of the columns, because an initializer runs from top to bottom.
        var row = new JobRow
        {
            Id = from.ReadGuid(),
            Kind = from.ReadText(),
            Client = from.ReadTextOrNull(),
            MaxAttempts = from.ReadInt(),
            Priority = (WorkPriority)from.ReadInt(),
            Tags = from.ReadTextOrNull() is { } tags ? JsonSerializer.Deserialize(tags, WordsJson.Default.IReadOnlyListString)! : [],
            CreatedAt = from.ReadTime(),
            Timeout = from.ReadLongOrNull() is { } timeout ? TimeSpan.FromMicroseconds(timeout) : null,
            IdempotencyKey = from.ReadTextOrNull(),
            State = (JobState)from.ReadInt(),
            Version = from.ReadLong(),
            Attempt = from.ReadInt(),
            RunAt = from.ReadTime(),
            Deadline = from.ReadTimeOrNull(),
            StartedAt = from.ReadTimeOrNull(),
            FinishedAt = from.ReadTimeOrNull(),
            Progress = from.ReadDoubleOrNull(),
            Worker = from.ReadTextOrNull(),
            Error = from.ReadTextOrNull() is { } name ? new JobError(name, from.ReadText()) : from.Skip<JobError?>(),
            IsCancelRequested = from.ReadBool(),
            Claim = from.ReadLong(),
            EndedClaim = from.ReadLong(),
            Redeliveries = from.ReadInt(),
            LeaseEnd = from.ReadTimeOrNull(),
            Payload = from.ReadLongOrNull(),
            Result = from.ReadLongOrNull(),
            IsSwept = from.ReadBool(),
            Due = from.ReadTimeOrNull(),
            Expires = from.ReadTimeOrNull(),
            Ended = from.ReadTimeOrNull(),
            Suspicion = from.ReadInt(),
            Deaths = from.ReadInt(),
            IsAccompanied = from.ReadBool(),
            AloneUntil = from.ReadTimeOrNull(),
            LostClaim = from.ReadLong(),
            WasLostAlone = from.ReadBool(),
            Earlier = PastAttempts.Parse(from.ReadTextOrNull()),
        };
        row.StoredState = row.State;
        return row;
    }

    [JsonSerializable(typeof(IReadOnlyList<string>))]
    private sealed partial class WordsJson : JsonSerializerContext;
}
