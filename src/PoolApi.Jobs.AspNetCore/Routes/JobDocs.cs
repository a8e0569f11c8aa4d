using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using PoolApi.Documentation;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.AspNetCore.Requests;

namespace PoolApi.Jobs.AspNetCore.Routes;

/// <summary>Describes in OpenAPI what the jobs routes take and answer.</summary>
internal static class JobDocs
{
    private const string ExampleId = "0198f3a2-7c1e-7b7e-9a41-3d0f5c2b8e11";
    private static readonly (string, string) RetryAfterHeader = ("Retry-After", "Seconds after which it is worth asking again.");

    /// <summary>Completes the description of jobs in the document.</summary>
    public static void AddTo(OpenApiOptions options)
    {
        options.AddSchemaTransformer(static (schema, context, _) =>
        {
            if (context.JsonTypeInfo.Type == typeof(JobView) || context.JsonTypeInfo.Type == typeof(JobAttemptView)) CompleteJob(schema);
            return Task.CompletedTask;
        });
        options.AddDocumentTransformer(static (document, _, _) =>
        {
            if (document.Components?.Schemas?.TryGetValue(nameof(JobView), out IOpenApiSchema? job) == true) ShareChoices(job, document);
            foreach (OpenApiTag tag in document.Tags?.Where(static t => t.Name == JobRouteEndpoints.Tag) ?? [])
                tag.Description = "What was accepted for later: find it, wait for it, read its result, cancel it, run it again.";
            return Task.CompletedTask;
        });
    }

    public static RouteHandlerBuilder DescribeList(this RouteHandlerBuilder route) => route
        .WithOperationId("listJobs")
        .WithSummary("Lists jobs, the newest first.")
        .WithDescription("`next` is the URL of the next page. Jobs that are accepted or end between two requests cause no job to be skipped or repeated.")
        .WithParameters(JobListRequest.Parameters)
        .Produces<JobListView>()
        .WithProblems(CommonProblems.InvalidRequest, CommonProblems.StoreUnavailable, CommonProblems.Overloaded)
        .WithMeaning(200, "The jobs, and where there are more.")
        .WithExample(200, static () => new JsonObject { ["jobs"] = new JsonArray(ExampleJob("jobs/")), ["next"] = null });

    public static RouteHandlerBuilder DescribeGet(this RouteHandlerBuilder route) => route
        .WithOperationId("getJob")
        .WithSummary("Returns a job. With `Prefer: wait`, waits until it has ended or changed.")
        .WithDescription(
            "With `Prefer: wait=N` the response comes when the job has ended; with `If-None-Match` as well, when its version is none of those; "
            + "after N seconds in any case, with the job as it is then.")
        .WithJobId()
        .WithParameters(PreferHeader.OfJob, JobETag.Parameter)
        .Produces<JobView>()
        .Produces(StatusCodes.Status304NotModified)
        .WithProblems(CommonProblems.InvalidRequest, JobProblems.NotFound, CommonProblems.StoreUnavailable)
        .WithMeaning(200, "The job.", ETagHeader(), AppliedHeader())
        .WithMeaning(304, "The job is as the client has it.", ETagHeader(), AppliedHeader())
        .WithExample(200, static () =>
        {
            JsonObject job = ExampleJob();
            job["attempts"] = new JsonArray(ExampleAttempt());
            return job;
        });

    public static RouteHandlerBuilder DescribeResult(this RouteHandlerBuilder route) => route
        .WithOperationId("getJobResult")
        .WithSummary("Returns the response that the job's work gave.")
        .WithDescription("With the status and the media type that the work gave: a job that failed with a problem of its own, such as 422, answers that problem.")
        .WithJobId()
        .WithBinaryResponse("The result, in the media type of the job's kind.", "*/*")
        .WithProblems(
            JobProblems.NotFound, JobProblems.NotFinished, JobProblems.Cancelled, JobProblems.Expired, JobProblems.ResultGone,
            CommonProblems.WorkFailed, CommonProblems.InternalError, JobProblems.ResultTooLarge, JobProblems.Poison, JobProblems.UnknownKind,
            CommonProblems.StoreUnavailable, CommonProblems.Overloaded);

    public static RouteHandlerBuilder DescribeEvents(this RouteHandlerBuilder route) => route
        .WithOperationId("watchJob")
        .WithSummary("Sends the job at once and whenever it changes, as server-sent events, until it has ended.")
        .WithDescription("Each event is named `job`, has the job as its data and its version as its id. Of several changes at once only the latest is sent. A comment comes every 15 seconds.")
        .WithJobId()
        .WithParameters(JobEvents.LastSeen)
        .WithBinaryResponse("The events.", "text/event-stream")
        .WithProblems(CommonProblems.InvalidRequest, JobProblems.NotFound, CommonProblems.StoreUnavailable)
        // Only the text documents the 204: with a declared 204 response, Kiota generates a method that discards the events.
        .WithMeaning(200, "The events. Or 204 without a body: the job has ended, and the client has its last event. There is nothing to come again for.");

    public static RouteHandlerBuilder DescribeCancel(this RouteHandlerBuilder route) => route
        .WithOperationId("cancelJob")
        .WithSummary("Cancels a job.")
        .WithJobId()
        .Produces(StatusCodes.Status204NoContent)
        .WithProblems(JobProblems.NotFound, JobProblems.Finished, CommonProblems.StoreUnavailable)
        // Only the text documents its body: with a type beside the 204, NSwag generates a method that throws on one of the two.
        .WithMeaning(
            202, "It runs, and is being cancelled. The body is the job as it is now, the same JSON that getJob answers.", RetryAfterHeader, LocationHeader())
        .WithMeaning(204, "It was queued, and is never run.");

    public static RouteHandlerBuilder DescribeRetry(this RouteHandlerBuilder route) => route
        .WithOperationId("retryJob")
        .WithSummary("Queues a job again that failed, was cancelled or has expired.")
        .WithJobId()
        .Produces<JobView>(StatusCodes.Status202Accepted)
        .WithProblems(JobProblems.NotFound, JobProblems.NotRetryable, CommonProblems.StoreUnavailable)
        .WithMeaning(202, "It is queued. The job as it is now.", RetryAfterHeader, LocationHeader());

    /// <summary>What the schema of a job or an attempt cannot know from its type.</summary>
    private static void CompleteJob(OpenApiSchema schema)
    {
        foreach ((string name, IOpenApiSchema each) in schema.Properties ?? new Dictionary<string, IOpenApiSchema>())
        {
            if (each is not OpenApiSchema property) continue;
            if (name is "createdAt" or "startedAt" or "finishedAt" or "endedAt" or "runAt" or "deadline") property.Format = "date-time";
            // The property may be omitted, but is never null.
            if (name == "attempts") property.Type = JsonSchemaType.Array;
            if (name == "progress") (property.Minimum, property.Maximum) = ("0", "1");
        }
    }

    /// <summary>Gives all states one shared type, and all priorities another. Runs when the document is complete.</summary>
    private static void ShareChoices(IOpenApiSchema job, OpenApiDocument document)
    {
        IDictionary<string, IOpenApiSchema> members = job.Properties!;
        members["state"] = SharedSchemas.Choice(
            document, JobListRequest.StateTypeName, JobStates.All.Select(static state => state.ToWord()), description: members["state"].Description);
        members["priority"] = SharedSchemas.Choice(document, JobPriorities.TypeName, JobPriorities.Words, description: members["priority"].Description);
    }

    private static RouteHandlerBuilder WithParameters(this RouteHandlerBuilder route, params RequestParameter[] parameters) =>
        route.WithParameters(static name => new JobQueryParameter(name), parameters);

    private static RouteHandlerBuilder WithJobId(this RouteHandlerBuilder route) => route.AddOpenApiOperationTransformer(static (operation, _, _) =>
    {
        foreach (OpenApiParameter id in (operation.Parameters ?? []).OfType<OpenApiParameter>().Where(static p => p.Name == "id"))
        {
            id.Description = "The job's id, as it was given in Location.";
            id.Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = "uuid", Examples = [ExampleId] };
        }
        return Task.CompletedTask;
    });

    private static RouteHandlerBuilder WithExample(this RouteHandlerBuilder route, int status, Func<JsonNode> example) =>
        route.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            string key = status.ToString(System.Globalization.CultureInfo.InvariantCulture);
            if (operation.Responses?.TryGetValue(key, out IOpenApiResponse? response) == true
                && response.Content?.TryGetValue("application/json", out OpenApiMediaType? json) == true)
            {
                json.Example = example();
            }
            return Task.CompletedTask;
        });

    private static JsonObject ExampleJob(string below = "") => new JsonObject
    {
        ["id"] = ExampleId,
        ["kind"] = "thumbnails",
        ["state"] = "running",
        ["attempt"] = 1,
        ["priority"] = "normal",
        ["tags"] = new JsonArray("invoice:17"),
        ["createdAt"] = "2030-01-31T08:00:00.000Z",
        ["startedAt"] = "2030-01-31T08:00:00.021Z",
        ["finishedAt"] = null,
        ["progress"] = 0.4,
        ["worker"] = "pool-a-1-5f3c9e02",
        ["error"] = null,
        ["links"] = new JsonObject
        {
            ["self"] = below + ExampleId,
            ["result"] = $"{below}{ExampleId}/result",
            ["events"] = $"{below}{ExampleId}/events",
        },
        ["maxAttempts"] = 3,
        ["runAt"] = "2030-01-31T08:00:00.000Z",
        ["deadline"] = null,
        ["cancelRequested"] = false,
        ["version"] = 3,
    };

    private static JsonObject ExampleAttempt() => new()
    {
        ["attempt"] = 1,
        ["startedAt"] = "2030-01-31T08:00:00.021Z",
        ["endedAt"] = null,
        ["worker"] = "pool-a-1-5f3c9e02",
        ["outcome"] = null,
        ["error"] = null,
    };

    private static (string, string) ETagHeader() => ("ETag", "The job's version.");

    private static (string, string) AppliedHeader() => ("Preference-Applied", "The preferences that were applied.");

    private static (string, string) LocationHeader() => ("Location", "Where the job is, relative to the URL of the request.");
}
