using System.Text.Json;

namespace PoolApi.EndToEnd.Harness.Jobs;

/// <summary>A job as GET /v1/jobs/{id} returns it.</summary>
internal sealed record JobView(Guid Id, string Kind, string State, int Attempt, string? Worker, JsonElement Json)
{
    /// <summary>Whether the job has reached a final state.</summary>
    public bool HasEnded => State is "succeeded" or "failed" or "cancelled" or "expired";

    /// <summary>Its tags.</summary>
    public string[] Tags => [.. Json.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!)];

    /// <summary>When the latest attempt began.</summary>
    public DateTimeOffset? StartedAt => Time("startedAt");

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt => Time("finishedAt");

    /// <summary>The name of the error.</summary>
    public string? Error => Json.GetProperty("error") is { ValueKind: JsonValueKind.Object } error ? error.GetProperty("name").GetString() : null;

    /// <summary>Reads one job, which must have all promised members.</summary>
    public static JobView Read(JsonElement json)
    {
        foreach (string member in (string[])["priority", "tags", "createdAt", "startedAt", "finishedAt", "progress", "worker", "error", "links"])
            Assert.True(json.TryGetProperty(member, out _), $"no '{member}' in {json.GetRawText()}");
        var id = Guid.ParseExact(json.GetProperty("id").GetString()!, "D");
        Assert.EndsWith($"{id}", json.GetProperty("links").GetProperty("self").GetString(), StringComparison.Ordinal);
        return new JobView(
            id,
            json.GetProperty("kind").GetString()!,
            json.GetProperty("state").GetString()!,
            json.GetProperty("attempt").GetInt32(),
            json.GetProperty("worker").GetString(),
            json);
    }

    /// <summary>Whether this instance runs the job or ran it last. The name of the job's worker contains the process id.</summary>
    public bool IsOf(PoolApiProcess instance) => Worker?.Contains($"-{instance.Id}-", StringComparison.Ordinal) == true;

    /// <inheritdoc />
    public override string ToString() => Json.GetRawText();

    private DateTimeOffset? Time(string member) => Json.GetProperty(member) is { ValueKind: JsonValueKind.String } time ? time.GetDateTimeOffset() : null;
}
