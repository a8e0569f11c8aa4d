using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using PoolApi.Documentation;
using PoolApi.Jobs.AspNetCore.Answers;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.AspNetCore.Requests;
using PoolApi.Jobs.AspNetCore.Routes;

namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>Tells OpenAPI how a request becomes a job, on every route where it can.</summary>
internal static class AllowJobsDocs
{
    private const string Json = "application/json";
    private const string RunAtExample = "2030-01-31T08:00:00Z";

    public static Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellation)
    {
        foreach (OpenApiParameter parameter in Parameters(context.Document!)) (operation.Parameters ??= []).Add(parameter);
        string jobs = context.ApplicationServices.GetRequiredService<JobsPath>().Value;

        OpenApiResponses responses = operation.Responses ??= [];
        responses["202"] = new OpenApiResponse
        {
            Description = "With Prefer: respond-async: the job has been committed to the disk, and is found at Location. The body is the job as it is now.",
            Content = new Dictionary<string, OpenApiMediaType>
            {
                [Json] = new() { Schema = JobBytes(context.Document!) },
            },
            Headers = new Dictionary<string, IOpenApiHeader>
            {
                ["Location"] = new OpenApiHeader { Description = $"The job, {jobs}/{{id}}, relative to the URL of the request.", Schema = new OpenApiSchema { Type = JsonSchemaType.String } },
                ["Retry-After"] = new OpenApiHeader
                {
                    Description = "Seconds after which it is worth asking for the job.",
                    Schema = new OpenApiSchema { Type = JsonSchemaType.Integer },
                },
            },
        };
        // A route without a parameter of its own has these headers to get wrong.
        if (!responses.ContainsKey("400")) AddProblems(responses, "", CommonProblems.InvalidRequest);
        AddProblems(responses, "With Idempotency-Key. ", JobProblems.KeyInProgress, JobProblems.Cancelled, JobProblems.Expired);
        _ = OperationDocs.AddRetryAfter(operation, JobProblems.KeyInProgress.Status);
        AddProblems(responses, "With Idempotency-Key. ", JobProblems.ResultGone);
        AddProblems(responses, "", JobProblems.KeyReused);
        if (responses.TryGetValue("200", out IOpenApiResponse? result)) MakeBytes(result);
        return Task.CompletedTask;
    }

    /// <summary>
    /// The JSON of a job, described as bytes. Generators give a method one type for all its successes: for an image and a job,
    /// NSwag takes the job for an exception and Kiota the image for a job. Both give bytes for both, with the status beside them.
    /// </summary>
    private static OpenApiSchema JobBytes(OpenApiDocument document) => new()
    {
        Type = JsonSchemaType.String,
        Format = "binary",
        ContentMediaType = Json,
        ContentSchema = new OpenApiSchemaReference(nameof(JobView), document),
    };

    /// <summary>An answer of text is bytes too, where the other success is.</summary>
    private static void MakeBytes(IOpenApiResponse result)
    {
        foreach (OpenApiMediaType type in (result.Content ?? new Dictionary<string, OpenApiMediaType>()).Values) type.Schema = OperationDocs.Binary();
    }

    /// <summary>Adds problems of one status, behind those that the route itself has.</summary>
    private static void AddProblems(OpenApiResponses responses, string condition, params ProblemType[] problems)
    {
        string status = problems[0].Status.ToString(CultureInfo.InvariantCulture);
        string meaning = condition + ProblemType.Describe(problems);
        if (!responses.TryGetValue(status, out IOpenApiResponse? response))
            responses[status] = new OpenApiResponse { Description = meaning, Content = responses.TryGetValue("503", out IOpenApiResponse? pool) ? pool.Content : null };
        else if (response is OpenApiResponse own)
            own.Description = string.IsNullOrEmpty(own.Description) ? meaning : $"{own.Description}; {meaning}";
    }

    private static IEnumerable<OpenApiParameter> Parameters(OpenApiDocument document)
    {
        yield return Header(PreferHeader.Name, string.Create(
            CultureInfo.InvariantCulture,
            $"respond-async: 202 and a job, instead of waiting. With wait=N (seconds, 0 to {PreferHeader.MaxWait}) the result itself, if it is there in that time. A longer wait counts as {PreferHeader.MaxWait}."),
            "respond-async, wait=5");
        yield return Header(
            IdempotencyKeyHeader.Name,
            "The client's own name for this request: sent again under the same key, it is the same job. Without respond-async the answer is the result.",
            "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"");
        const string Priority = "With respond-async. Which job is taken first; normal if it is not given.";
        const string RunAt = "With respond-async. Not before this moment (RFC 3339), at most a year ahead.";
        const string Timeout = "For a job. Seconds after it is due in which it must end, or it expires.";
        const string Tags = "For a job. Words to find it by.";
        yield return Header(JobParameters.PriorityHeader, $"{Priority} One of high, normal, low. Or in the query.", "low");
        yield return Header(JobParameters.RunAtHeader, $"{RunAt} Or in the query.", RunAtExample);
        yield return Header(JobParameters.TimeoutHeader, $"{Timeout} 1 to {JobParameters.MaxTimeout}. Or in the query.", "600");
        yield return Header(JobParameters.TagsHeader, $"{Tags} Separated by commas, up to {JobTags.MaxCount}. Or in the query.", "nightly, customer-7");

        var word = new OpenApiSchema { Type = JsonSchemaType.String, Pattern = JobTags.Pattern };
        yield return Query(
            JobParameters.PriorityQuery, Priority, JobDocs.Priorities(document));
        // Of the format date-time, NSwag would make a method that sends the time without its offset. A text is sent as it is.
        yield return Query(
            JobParameters.RunAtQuery, RunAt, new OpenApiSchema { Type = JsonSchemaType.String, Pattern = Rfc3339.Pattern, Examples = [RunAtExample] });
        yield return Query(
            JobParameters.TimeoutQuery, Timeout,
            new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1", Maximum = JobParameters.MaxTimeout.ToString(CultureInfo.InvariantCulture) });
        yield return Query(
            JobParameters.TagQuery, Tags, new OpenApiSchema { Type = JsonSchemaType.Array, Items = word, MaxItems = JobTags.MaxCount, UniqueItems = true });
    }

    private static OpenApiParameter Query(string name, string description, IOpenApiSchema schema) => new()
    {
        Name = name,
        In = ParameterLocation.Query,
        Required = false,
        Description = description,
        Schema = schema,
    };

    private static OpenApiParameter Header(string name, string description, string example) => new()
    {
        Name = name,
        In = ParameterLocation.Header,
        Required = false,
        Description = description,
        Schema = new OpenApiSchema { Type = JsonSchemaType.String },
        Example = JsonValue.Create(example),
    };
}
