using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace PoolApi.Jobs;

/// <summary>An attempt that ended before the job's latest one, or the end that a job had before somebody retried it. Immutable.</summary>
/// <param name="Number">Which attempt it was, from 1. 0: the job ended before its first.</param>
/// <param name="StartedAt">When it was claimed; <see langword="null"/>: the job ended while it was queued, and this was no attempt.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Worker">The instance that had it.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Error">What went wrong. Its detail may be cut.</param>
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

    /// <summary>The job failed; somebody retried it.</summary>
    Failed,

    /// <summary>The job was cancelled; somebody retried it.</summary>
    Cancelled,

    /// <summary>The job expired; somebody retried it.</summary>
    Expired,
}

/// <summary>The attempts before the latest one, as a job keeps them: a bounded list, one short text in the store.</summary>
/// <remarks>
/// <para>The latest attempt is the job itself. So a job that succeeds at its first attempt, as nearly all do, writes nothing here.</para>
/// <para>An instance that hands a job back again and again leaves one entry, not twenty.</para>
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

    /// <summary>The outcome of a job that has ended, where somebody retries it.</summary>
    public static PastOutcome Of(JobState state) => state switch
    {
        JobState.Failed => PastOutcome.Failed,
        JobState.Cancelled => PastOutcome.Cancelled,
        JobState.Expired => PastOutcome.Expired,
        _ => throw new ArgumentOutOfRangeException(nameof(state)),
    };

    /// <summary>The list with one more.</summary>
    public static IReadOnlyList<PastAttempt> Add(IReadOnlyList<PastAttempt> before, PastAttempt attempt)
    {
        IEnumerable<PastAttempt> kept =
            before.Count > 0 && before[^1] is { Outcome: PastOutcome.HandedBack } last && attempt.Outcome == PastOutcome.HandedBack && last.Worker == attempt.Worker
                ? before.SkipLast(1)
                : before.Count >= Most ? before.Skip(before.Count - Most + 1) : before;
        if (attempt.Error is { Detail.Length: > MostDetail } error)
        {
            int length = char.IsHighSurrogate(error.Detail[MostDetail - 1]) ? MostDetail - 1 : MostDetail;
            attempt = attempt with { Error = error with { Detail = error.Detail[..length] } };
        }
        return [.. kept, attempt];
    }

    /// <summary>Whether the latest attempt is the job itself: one that was retried, lost or handed back is in the list already.</summary>
    public static bool HasLatestApart(Job job) => job.StartedAt is not null && (job.Earlier.Count == 0 || job.Earlier[^1].StartedAt != job.StartedAt);

    /// <summary>The end that a job has now, for when it is retried.</summary>
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

    /// <summary>One of them in the store. Times are in microseconds since 1970.</summary>
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
