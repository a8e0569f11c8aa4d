using System.Globalization;
using System.Text.Json;
using PoolApi.Dashboard.Streams;
using PoolApi.Jobs;

namespace PoolApi.Dashboard.Jobs;

/// <summary>Writes jobs as JSON for the pages.</summary>
internal static class JobJson
{
    /// <summary>
    /// Below this part of the setting <see cref="PoolApi.Jobs.Running.JobOptions.Lease"/>, two renewals in a row are missing: an instance sets
    /// a lease to two thirds of the setting, and renews it after each sixth.
    /// </summary>
    private const double StalePart = 1 / 3.0;

    /// <summary>Whether the instance that runs the job has not renewed its lease when it should have.</summary>
    /// <param name="job">The job.</param>
    /// <param name="lease">The time from the death of an instance until others take over its jobs.</param>
    public static bool IsStale(Job job, TimeSpan lease) => job.LeaseLeft < lease * StalePart;

    /// <param name="json">Where to.</param>
    /// <param name="job">The job.</param>
    /// <param name="isStale">The result of <see cref="IsStale"/>.</param>
    /// <param name="more">More members of it.</param>
    public static void Write(Utf8JsonWriter json, Job job, bool isStale = false, Action<Utf8JsonWriter>? more = null)
    {
        json.WriteStartObject();
        json.WriteString("id", job.Id);
        json.WriteString("kind", job.Kind);
        json.WriteMaybe("client", job.Client);
        json.WriteString("state", job.State.ToWord());
        json.WriteNumber("version", job.Version);
        json.WriteNumber("attempt", job.Attempt);
        json.WriteNumber("maxAttempts", job.MaxAttempts);
        json.WriteString("priority", job.Priority.ToString().ToLowerInvariant());
        json.WriteStartArray("tags");
        foreach (string tag in job.Tags) json.WriteStringValue(tag);
        json.WriteEndArray();
        json.WriteNumber("createdAt", job.CreatedAt.ToUnixTimeMilliseconds());
        json.WriteNumber("runAt", job.RunAt.ToUnixTimeMilliseconds());
        Time("deadline", job.Deadline);
        Time("startedAt", job.StartedAt);
        Time("finishedAt", job.FinishedAt);
        if (job.Progress is { } progress) json.WriteNumber("progress", Math.Round(progress, 4));
        else json.WriteNull("progress");
        json.WriteMaybe("worker", job.Worker);
        json.WriteBoolean("stale", isStale);
        json.WriteBoolean("cancelRequested", job.IsCancelRequested);
        Error(json, job.Error);
        more?.Invoke(json);
        json.WriteEndObject();

        void Time(string name, DateTimeOffset? time) => JobJson.Time(json, name, time);
    }

    /// <summary>The attempts before the latest one.</summary>
    public static void WriteEarlier(Utf8JsonWriter json, Job job)
    {
        json.WriteStartArray("earlier");
        foreach (PastAttempt attempt in job.Earlier)
        {
            json.WriteStartObject();
            json.WriteNumber("attempt", attempt.Number);
            Time(json, "startedAt", attempt.StartedAt);
            Time(json, "endedAt", attempt.EndedAt);
            json.WriteMaybe("worker", attempt.Worker);
            json.WriteString("outcome", attempt.Outcome.ToWord());
            Error(json, attempt.Error);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void Error(Utf8JsonWriter json, JobError? error)
    {
        if (error is null)
        {
            json.WriteNull("error");
            return;
        }
        json.WriteStartObject("error");
        json.WriteString("name", error.Name);
        json.WriteString("detail", error.Detail);
        json.WriteEndObject();
    }

    private static void Time(Utf8JsonWriter json, string name, DateTimeOffset? time)
    {
        if (time is { } known) json.WriteNumber(name, known.ToUnixTimeMilliseconds());
        else json.WriteNull(name);
    }

    public static void WriteCounts(Utf8JsonWriter json, IReadOnlyDictionary<JobState, long> counts)
    {
        json.WriteStartObject("counts");
        foreach (JobState state in JobStates.All) json.WriteNumber(state.ToWord(), counts.GetValueOrDefault(state));
        json.WriteEndObject();
    }

    public static string Cursor(Guid id) => id.ToString("D", CultureInfo.InvariantCulture);
}
