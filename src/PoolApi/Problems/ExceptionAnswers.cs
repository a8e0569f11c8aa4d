using Microsoft.AspNetCore.Diagnostics;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.Problems;

/// <summary>Turns exceptions into problem details. What the exception says goes to the log, never to the client.</summary>
internal sealed partial class ExceptionAnswers(ILogger<ExceptionAnswers> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        bool gone = httpContext.RequestAborted.IsCancellationRequested;
        string trace = Problem.TraceId(httpContext);
        int status;
        string? name = null;
        string? detail = null;
        bool hasBegun = PoolWork.HasStarted(httpContext);
        if (exception is BadHttpRequestException bad)
        {
            status = bad.StatusCode;
            LogBadRequest(httpContext.Request.Path, status, bad.Message, trace);
        }
        else if (exception is OutOfMemoryException && !hasBegun)
        {
            status = StatusCodes.Status503ServiceUnavailable;
            name = "overloaded";
            detail = "There is no memory for this request now. Try again after the time in Retry-After.";
            httpContext.Response.Headers.RetryAfter = "1";
            LogNoMemory(httpContext.Request.Path, trace);
        }
        else
        {
            status = StatusCodes.Status500InternalServerError;
            if (hasBegun) (name, detail) = (WorkFailure.Name, WorkFailure.Begun);
            else if (IsForWork(httpContext)) detail = WorkFailure.NotBegun;
            // A client that leaves cancels its own request: that is no failure. Anything else is, whoever is left to be told.
            if (!(gone && exception is OperationCanceledException or IOException)) LogFailed(exception, httpContext.Request.Path, trace);
        }

        try
        {
            if (!gone) await Problem.Of(httpContext, status, detail, name).ExecuteAsync(httpContext);
            else httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }
        catch (Exception e) when (e is IOException || httpContext.RequestAborted.IsCancellationRequested)
        {
            // The client left while it was being told.
        }
        return true;
    }

    private static bool IsForWork(HttpContext context) =>
        (context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint)?.Metadata.GetMetadata<RunOnPoolMetadata>() is not null;

    // At Debug: a client must not be able to fill the log. The client itself is told what is wrong.
    [LoggerMessage(20, LogLevel.Debug, "{path} answered {status}: {reason} (trace {traceId})")]
    private partial void LogBadRequest(string path, int status, string reason, string traceId);

    [LoggerMessage(22, LogLevel.Warning, "{path} was refused: the process has no memory left (trace {traceId})")]
    private partial void LogNoMemory(string path, string traceId);

    [LoggerMessage(21, LogLevel.Error, "{path} failed (trace {traceId})")]
    private partial void LogFailed(Exception exception, string path, string traceId);
}
