using System.Globalization;
using System.Text.Json;
using PoolApi.Dashboard.Streams;
using PoolApi.Jobs;

namespace PoolApi.Dashboard.Jobs;

/// <summary>Jobs as the pages read them.</summary>
internal static class JobJson
{
    public static void Write(Utf8JsonWriter json, Job job)
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
        json.WriteBoolean("cancelRequested", job.IsCancelRequested);
        if (job.Error is { } error)
        {
            json.WriteStartObject("error");
            json.WriteString("name", error.Name);
            json.WriteString("detail", error.Detail);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("error");
        }
        json.WriteEndObject();

        void Time(string name, DateTimeOffset? time)
        {
            if (time is { } known) json.WriteNumber(name, known.ToUnixTimeMilliseconds());
            else json.WriteNull(name);
        }
    }

    public static void WriteCounts(Utf8JsonWriter json, IReadOnlyDictionary<JobState, long> counts)
    {
        json.WriteStartObject("counts");
        foreach (JobState state in JobStates.All) json.WriteNumber(state.ToWord(), counts.GetValueOrDefault(state));
        json.WriteEndObject();
    }

    public static string Cursor(Guid id) => id.ToString("D", CultureInfo.InvariantCulture);
}
