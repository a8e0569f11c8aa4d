namespace PoolApi.Problems;

/// <summary>
/// Writes problem details to every client. The framework's own writer writes no body for a client whose Accept header asks for images only,
/// as clients of the thumbnails do.
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
