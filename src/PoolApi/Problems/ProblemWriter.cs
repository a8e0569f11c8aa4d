using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi.Problems;

/// <summary>
/// Writes problem details to every client. The framework's own writer says nothing to a client whose Accept header asks for
/// images only, which is what callers of the thumbnails send.
/// </summary>
internal sealed class ProblemWriter : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => true;

    public async ValueTask WriteAsync(ProblemDetailsContext context)
    {
        Problem.Complete(context);
        await context.HttpContext.Response.WriteAsJsonAsync(
            context.ProblemDetails, ProblemJson.Readable.ProblemDetails, "application/problem+json", context.HttpContext.RequestAborted);
    }
}

/// <summary>What problem details are made of.</summary>
[JsonSerializable(typeof(ProblemDetails))]
[JsonSerializable(typeof(Dictionary<string, string[]>))]
internal sealed partial class ProblemJson : JsonSerializerContext
{
    /// <summary>Quotes and signs as they are, not as \uXXXX: people read this, and nothing puts it into HTML.</summary>
    public static ProblemJson Readable { get; } = new(new JsonSerializerOptions(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
