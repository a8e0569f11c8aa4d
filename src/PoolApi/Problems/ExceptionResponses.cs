using Microsoft.AspNetCore.Diagnostics;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.Problems;

/// <summary>Answers a request that threw with problem details. The text of the exception goes to the log, never to the client.</summary>
internal sealed partial class ExceptionResponses(ILogger<ExceptionResponses> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        bool gone = httpContext.RequestAborted.IsCancellationRequested;
        string trace = AnyClientProblem.TraceIdOf(httpContext);
        ProblemType type;
        int? status = null;
        string? detail = null;
        bool hasBegun = PoolWork.HasStarted(httpContext);
        if (exception is BadHttpRequestException bad)
        {
            status = bad.StatusCode;
            type = ServiceProblems.Of(bad.StatusCode);
            LogBadRequest(httpContext.Request.Path, bad.StatusCode, bad.Message, trace);
        }
        else if (exception is OutOfMemoryException && !hasBegun)
        {
            type = CommonProblems.Overloaded;
            detail = "There is no memory for this request now. Try again after the time in Retry-After.";
            httpContext.Response.Headers.RetryAfter = "1";
            LogNoMemory(httpContext.Request.Path, trace);
        }
        else
        {
            // Whether the work had begun decides what the client may do next.
            type = hasBegun ? CommonProblems.WorkFailed : CommonProblems.InternalError;
            if (hasBegun) detail = "The work had begun when it failed, and may have taken effect. The details are in the log, under the trace id.";
            else if (IsForWork(httpContext)) detail = "The request failed before its work began: no worker had taken it. The details are in the log, under the trace id.";
            // A client that leaves cancels its own request, which is no failure. Anything else is, even if the client has left.
            if (!(gone && exception is OperationCanceledException or IOException)) LogFailed(exception, httpContext.Request.Path, trace);
        }

        try
        {
            if (!gone) await Problem.Of(httpContext, type, detail, status: status).ExecuteAsync(httpContext);
            else httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }
        catch (Exception e) when (e is IOException || httpContext.RequestAborted.IsCancellationRequested)
        {
            // The client left before it had its response.
        }
        return true;
    }

    private static bool IsForWork(HttpContext context) =>
        (context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint)?.Metadata.GetMetadata<RunOnPoolMetadata>() is not null;

    // At Debug: a client must not be able to fill the log. The response says what is wrong.
    [LoggerMessage(20, LogLevel.Debug, "{path} answered {status}: {reason} (trace {traceId})")]
    private partial void LogBadRequest(string path, int status, string reason, string traceId);

    [LoggerMessage(22, LogLevel.Warning, "{path} was refused: the process has no memory left (trace {traceId})")]
    private partial void LogNoMemory(string path, string traceId);

    [LoggerMessage(21, LogLevel.Error, "{path} failed (trace {traceId})")]
    private partial void LogFailed(Exception exception, string path, string traceId);
}
