using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.Dashboard.Changes;
using PoolApi.Dashboard.Requests;
using PoolApi.Dashboard.Streams;
using PoolApi.Jobs;
using PoolApi.Jobs.Stores;

namespace PoolApi.Dashboard.Jobs;

/// <summary>Cancels or retries one job, or all that match a filter.</summary>
/// <remarks>A change of all matching jobs leaves out jobs that were accepted after the count that the user has confirmed.</remarks>
internal sealed class JobChanges(IJobStore store, ActionLog log)
{
    /// <summary>The most jobs that one change may affect.</summary>
    public const int Most = 10_000;

    private const int AtOnce = 16;

    private const int MaxBody = 4096;

    private const string Form = "The body must be a JSON object with action and job, or with action, filter and through.";

    /// <summary>If two members had the same name, one would be ignored.</summary>
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>The request that counts has it in the query, a change has it in the body. The two parameters below are in the body only.</summary>
    private static readonly RequestParameter<string> Action = RequestParameter.Text(
        "action", "What to do.", "cancel or retry", static (string text, out string action) => (action = text) is "cancel" or "retry", isRequired: true);

    private static readonly RequestParameter<Guid> JobField = RequestParameter.Text(
        "job", "The only job to change.", "the id of a job", static (string text, out Guid id) => Guid.TryParseExact(text, "D", out id));

    private static readonly RequestParameter<Guid> Through = RequestParameter.Text(
        "through", "Of all that match, those that were accepted up to this one.", "the newest job that was counted",
        static (string text, out Guid id) => Guid.TryParseExact(text, "D", out id), isRequired: true);

    public static bool CanChange(string action, JobState state) => action switch
    {
        "cancel" => !state.IsFinal(),
        _ => state is JobState.Failed or JobState.Cancelled or JobState.Expired,
    };

    /// <summary>Counts the jobs that a change would affect.</summary>
    public async Task<IResult> CountAsync(HttpContext context)
    {
        var faults = new RequestFaults(context);
        JobFilter filter = JobFilter.Read(context, faults);
        string action = Action.Read(context, faults);
        if (faults.Refusal is { } refusal) return refusal;
        int count = 0;
        Guid? newest = null;
        await foreach (Job job in filter.AllAsync(store, null, context.RequestAborted))
        {
            newest ??= job.Id;
            if (CanChange(action, job.State) && ++count > Most) break;
        }
        return Response(json =>
        {
            json.WriteNumber("count", Math.Min(count, Most));
            json.WriteBoolean("more", count > Most);
            json.WriteMaybe("through", newest?.ToString("D"));
        });
    }

    public async Task<IResult> ChangeAsync(HttpContext context)
    {
        var faults = new RequestFaults(context);
        Dictionary<string, JsonElement>? body;
        try
        {
            // The body is limited, because it is read into memory as a whole.
            using var bounded = new MemoryStream();
            var buffer = new byte[1024];
            int read;
            while ((read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
            {
                bounded.Write(buffer, 0, read);
                if (bounded.Length > MaxBody) return Fault($"The body is longer than {MaxBody} bytes.");
            }
            using JsonDocument document = JsonDocument.Parse(bounded.GetBuffer().AsMemory(0, (int)bounded.Length), Strict);
            body = Members(document.RootElement.Clone());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter for a name that is no text
        {
            return Fault(Form);
        }
        if (body is null) return Fault(Form);
        if (!Action.TryRead(context, TextOf(body.GetValueOrDefault(Action.Name)), faults, out string action)) return faults.Refusal!;
        if (body.ContainsKey(JobField.Name))
            return JobField.TryRead(context, Given(body, JobField.Name, faults), faults, out Guid id) ? await OneAsync(context, action, id) : faults.Refusal!;
        if (Members(body.GetValueOrDefault("filter")) is not { } wanted) return Fault("The body names neither a job nor a filter.");
        // A filter that is not understood must not become one that more jobs match.
        if (wanted.Keys.Except(JobFilter.Names).Any()) faults.Add("filter", $"filter may contain only {string.Join(", ", JobFilter.Names)}.");
        JobFilter filter = JobFilter.Read(context, faults, name => Given(wanted, name, faults));
        Through.TryRead(context, TextOf(body.GetValueOrDefault(Through.Name)), faults, out Guid through);
        return faults.Refusal is { } refusal ? refusal : await ManyAsync(context, action, filter, through);

        IResult Fault(string what)
        {
            faults.Add("body", what);
            return faults.Refusal!;
        }
    }

    private async Task<IResult> OneAsync(HttpContext context, string action, Guid id)
    {
        JobTransition? done = await ApplyAsync(action, id);
        if (done is null) return Problem.NotFound(context, "There is no such job; it may be past its retention.");
        bool isDone = HasChanged(action, done);
        string outcome = isDone ? Outcome(action, done.After) : $"conflict: it is {done.Before.ToWord()}";
        log.Add(context, $"{Verb(action)} job {id:D}", outcome);
        if (!isDone)
        {
            return Problem.Conflict(
                context,
                action == "cancel" ? $"It cannot be cancelled: it is {done.Before.ToWord()} already."
                : done.Before.IsFinal() && done.Before != JobState.Succeeded ? "It cannot be retried: it is past its retention."
                : $"It cannot be retried: it is {done.Before.ToWord()}. Only a failed, cancelled or expired job can.");
        }
        return Response(json =>
        {
            json.WriteString("detail", outcome);
            json.WritePropertyName("job");
            JobJson.Write(json, done.After);
        });
    }

    private async Task<IResult> ManyAsync(HttpContext context, string action, JobFilter filter, Guid through)
    {
        var ids = new List<Guid>();
        await foreach (Job job in filter.AllAsync(store, through, context.RequestAborted))
        {
            if (CanChange(action, job.State)) ids.Add(job.Id);
            if (ids.Count == Most) break;
        }
        int changed = 0, conflicts = 0, gone = 0;
        bool isBrokenOff = false;
        try
        {
            // Not cancelled with the request: a change that has begun is completed even if the page is closed.
            await Parallel.ForEachAsync(ids, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (id, _) =>
            {
                JobTransition? done = await ApplyAsync(action, id);
                if (done is null) Interlocked.Increment(ref gone);
                else if (HasChanged(action, done)) Interlocked.Increment(ref changed);
                else Interlocked.Increment(ref conflicts);
            });
        }
        catch (JobStoreException)
        {
            isBrokenOff = true;
        }
        string outcome = $"{changed} of {ids.Count} {(action == "cancel" ? "cancelled" : "queued again")}"
            + (conflicts > 0 ? $", {conflicts} changed meanwhile" : "") + (gone > 0 ? $", {gone} gone" : "")
            + (isBrokenOff ? ", then the store could not be used" : "");
        log.Add(context, $"{Verb(action)} {filter}", outcome);
        if (isBrokenOff) return Problem.Later(context, CommonProblems.StoreUnavailable, outcome + ".");
        return Response(json =>
        {
            json.WriteString("detail", outcome);
            json.WriteNumber("changed", changed);
            json.WriteNumber("conflicts", conflicts);
            json.WriteNumber("gone", gone);
        });
    }

    /// <summary>Not cancelled: a change that was made must be in the log.</summary>
    private ValueTask<JobTransition?> ApplyAsync(string action, Guid id) =>
        action == "cancel" ? store.CancelAsync(id, CancellationToken.None) : store.RetryAsync(id, CancellationToken.None);

    private static bool HasChanged(string action, JobTransition done) => CanChange(action, done.Before) && (action == "cancel" || !done.After.State.IsFinal());

    private static string Outcome(string action, Job after) =>
        action == "retry" ? "queued again" : after.State == JobState.Cancelled ? "cancelled" : "cancellation requested";

    private static string Verb(string action) => action == "cancel" ? "Cancel" : "Retry";

    /// <returns>Null if it is no object.</returns>
    /// <exception cref="InvalidOperationException">A name has half a surrogate pair.</exception>
    private static Dictionary<string, JsonElement>? Members(JsonElement of) =>
        of.ValueKind == JsonValueKind.Object ? of.EnumerateObject().ToDictionary(static member => member.Name, static member => member.Value) : null;

    /// <summary>Reads a member that may be left out. One that is there and is no text is a fault.</summary>
    private static string? Given(Dictionary<string, JsonElement> of, string name, RequestFaults faults)
    {
        if (!of.TryGetValue(name, out JsonElement value)) return null;
        string? text = TextOf(value);
        if (text is null) faults.Add(name, $"{name} must be a string.");
        return text;
    }

    /// <returns>Null if it is no text: of another kind, or with half a surrogate pair.</returns>
    private static string? TextOf(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static FileContentHttpResult Response(Action<Utf8JsonWriter> content) => TypedResults.Bytes(Json.Write(json =>
    {
        json.WriteStartObject();
        content(json);
        json.WriteEndObject();
    }), "application/json");
}
