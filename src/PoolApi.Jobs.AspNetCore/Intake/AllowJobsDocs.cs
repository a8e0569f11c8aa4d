using System.Globalization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using PoolApi.Documentation;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Problems;

namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>Describes in OpenAPI how a request becomes a job, on every route where it can.</summary>
internal static class AllowJobsDocs
{
    private const string Json = "application/json";

    public static Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellation)
    {
        foreach (RequestParameter parameter in RequestIntake.Parameters)
            (operation.Parameters ??= []).Add(parameter.ToOpenApi(context.Document!));
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
        // A route without parameters declares no 400, but these headers may be invalid.
        if (!responses.ContainsKey("400")) AddProblems(responses, "", CommonProblems.InvalidRequest);
        const string Waiting = "With Idempotency-Key, or with Prefer: respond-async and wait. ";
        AddProblems(responses, "With Idempotency-Key. ", JobProblems.KeyInProgress);
        AddProblems(responses, Waiting, JobProblems.Cancelled, JobProblems.Expired);
        _ = OperationDocs.AddRetryAfter(operation, JobProblems.KeyInProgress.Status);
        AddProblems(responses, Waiting, JobProblems.ResultGone);
        AddProblems(responses, "", JobProblems.KeyReused);
        if (responses.TryGetValue("200", out IOpenApiResponse? result)) MakeBytes(result);
        return Task.CompletedTask;
    }

    /// <summary>
    /// The JSON of a job, described as bytes. Generators give a method one type for all its successes. For an image (200) and a job (202), NSwag
    /// generates an exception for the job, and Kiota parses the image as a job. If both are bytes, both generators return bytes and the status.
    /// </summary>
    private static OpenApiSchema JobBytes(OpenApiDocument document) => new()
    {
        Type = JsonSchemaType.String,
        Format = "binary",
        ContentMediaType = Json,
        ContentSchema = new OpenApiSchemaReference(nameof(JobView), document),
    };

    /// <summary>Describes the 200 response as bytes too, even if it is text, because the 202 response is bytes.</summary>
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
}
