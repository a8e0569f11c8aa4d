using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace PoolApi.Jobs;

/// <summary>A past attempt: one after which the job was queued again, or the end that a job had before a client retried it. Immutable.</summary>
/// <param name="Number">The number of the attempt, from 1. For a job that ended while it was queued: the number of attempts before that.</param>
/// <param name="StartedAt">When the attempt was claimed; <see langword="null"/>: the job ended while it was queued, so this is no attempt.</param>
/// <param name="EndedAt">When the attempt or the job ended.</param>
/// <param name="Worker">The instance that ran the attempt.</param>
/// <param name="Outcome">How the attempt or the job ended.</param>
/// <param name="Error">The error. Its detail may be cut.</param>
internal sealed record PastAttempt(
    int Number, DateTimeOffset? StartedAt, DateTimeOffset EndedAt, string? Worker, PastOutcome Outcome, JobError? Error);

/// <summary>How an attempt ended that was not the last.</summary>
internal enum PastOutcome
{
    /// <summary>It failed, and the job was queued to be tried again.</summary>
    Retried,

    /// <summary>Its instance handed it back. It did not count.</summary>
    HandedBack,

    /// <summary>Its instance died, or did not renew its lease.</summary>
    Lost,

    /// <summary>The job failed, and a client or an operator retried it.</summary>
    Failed,

    /// <summary>The job was cancelled, and a client or an operator retried it.</summary>
    Cancelled,

    /// <summary>The job expired, and a client or an operator retried it.</summary>
    Expired,
}

/// <summary>The list of a job's past attempts. The list is bounded, and one short text in the store.</summary>
/// <remarks>
/// <para>The job itself describes its running or last attempt. So a job that succeeds at its first attempt, as nearly all do, has an empty list.</para>
/// <para>If the same instance hands a job back several times in a row, the list keeps only the latest of these entries.</para>
/// </remarks>
internal static partial class PastAttempts
{
    /// <summary>How many are kept: the latest.</summary>
    public const int Most = 20;

    /// <summary>How many characters of an error's detail are kept.</summary>
    public const int MostDetail = 300;

    private static readonly string[] Words = ["retried", "handed-back", "lost", "failed", "cancelled", "expired"];

    /// <summary>The word for an outcome, in JSON and in stores.</summary>
    public static string ToWord(this PastOutcome outcome) => Words[(int)outcome];

    /// <summary>The outcome of an ended job that is retried by request.</summary>
    public static PastOutcome Of(JobState state) => state switch
    {
        JobState.Failed => PastOutcome.Failed,
        JobState.Cancelled => PastOutcome.Cancelled,
        JobState.Expired => PastOutcome.Expired,
        _ => throw new ArgumentOutOfRangeException(nameof(state)),
    };

    /// <summary>Returns the list with one more entry, without the oldest one if the list is full.</summary>
    public static IReadOnlyList<PastAttempt> Add(IReadOnlyList<PastAttempt> before, PastAttempt attempt)
    {
        IEnumerable<PastAttempt> kept =
            before.Count > 0 && before[^1] is { Outcome: PastOutcome.HandedBack } last && attempt.Outcome == PastOutcome.HandedBack && last.Worker == attempt.Worker
                ? before.SkipLast(1)
                : before.Count >= Most ? before.Skip(before.Count - Most + 1) : before;
        if (attempt.Error is { Detail.Length: > MostDetail } error)
            attempt = attempt with { Error = error with { Detail = TextTruncation.Truncate(error.Detail, MostDetail) } };
        return [.. kept, attempt];
    }

    /// <summary>Whether the job has an attempt that the list lacks: its latest one, unless the job was queued again after that attempt.</summary>
    public static bool HasLatestApart(Job job) => job.StartedAt is not null && (job.Earlier.Count == 0 || job.Earlier[^1].StartedAt != job.StartedAt);

    /// <summary>Creates the entry that a retry records: the end that the job has now.</summary>
    public static PastAttempt EndOf(Job job)
    {
        // If the latest attempt is in the list already, the job then ended while it was queued.
        bool isAttempt = HasLatestApart(job);
        return new PastAttempt(
            job.Attempt, isAttempt ? job.StartedAt : null, job.FinishedAt!.Value, isAttempt ? job.Worker : null, Of(job.State), job.Error);
    }

    /// <summary>Reads what a store has.</summary>
    public static IReadOnlyList<PastAttempt> Parse(string? text) => text is null
        ? []
        : [.. JsonSerializer.Deserialize(text, StoredJson.Default.StoredArray)!.Select(static s => s.ToAttempt())];

    /// <summary>The text for a store; <see langword="null"/>: there are none.</summary>
    public static string? ToText(IReadOnlyList<PastAttempt> attempts) => attempts.Count == 0
        ? null
        : JsonSerializer.Serialize([.. attempts.Select(static a => new Stored(a))], StoredJson.Default.StoredArray);

    /// <summary>An entry as it is stored. Times are in microseconds since 1970.</summary>
    internal sealed class Stored
    {
        public Stored()
        {
        }

        public Stored(PastAttempt attempt)
        {
            N = attempt.Number;
            From = ToMicroseconds(attempt.StartedAt);
            To = ToMicroseconds(attempt.EndedAt)!.Value;
            By = attempt.Worker;
            End = attempt.Outcome.ToWord();
            Error = attempt.Error?.Name;
            Detail = attempt.Error?.Detail;
        }

        public int N { get; set; }

        public long? From { get; set; }

        public long To { get; set; }

        public string? By { get; set; }

        public string End { get; set; } = "";

        public string? Error { get; set; }

        public string? Detail { get; set; }

        public PastAttempt ToAttempt() => new(
            N, From is { } from ? FromMicroseconds(from) : null, FromMicroseconds(To), By, OutcomeOf(End),
            Error is null ? null : new JobError(Error, Detail ?? ""));

        private static PastOutcome OutcomeOf(string word) => Array.IndexOf(Words, word) is >= 0 and var index
            ? (PastOutcome)index
            : throw new JsonException(string.Create(CultureInfo.InvariantCulture, $"An attempt ended as '{word}', which this version does not know."));

        private static long? ToMicroseconds(DateTimeOffset? time) =>
            time is { } known ? (known.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond : null;

        private static DateTimeOffset FromMicroseconds(long value) => DateTimeOffset.UnixEpoch.AddTicks(value * TimeSpan.TicksPerMicrosecond);
    }

    [JsonSerializable(typeof(Stored[]))]
    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
    internal sealed partial class StoredJson : JsonSerializerContext;
}
