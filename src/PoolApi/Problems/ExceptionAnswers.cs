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
        if (exception is BadHttpRequestException bad)
        {
            status = bad.StatusCode;
            LogBadRequest(httpContext.Request.Path, status, bad.Message, trace);
        }
        else
        {
            status = StatusCodes.Status500InternalServerError;
            bool work = (httpContext.GetEndpoint() ?? httpContext.Features.Get<IExceptionHandlerFeature>()?.Endpoint)
                ?.Metadata.GetMetadata<RunOnPoolMetadata>() is not null;
            if (work) name = "work-failed";
            // A client that leaves cancels its own request: that is no failure. Anything else is, whoever is left to be told.
            if (!(gone && exception is OperationCanceledException or IOException)) LogFailed(exception, httpContext.Request.Path, trace);
        }

        try
        {
            if (!gone) await Problem.Of(httpContext, status, name: name).ExecuteAsync(httpContext);
            else httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }
        catch (Exception e) when (e is IOException || httpContext.RequestAborted.IsCancellationRequested)
        {
            // The client left while it was being told.
        }
        return true;
    }

    // At Debug: a client must not be able to fill the log. The client itself is told what is wrong.
    [LoggerMessage(20, LogLevel.Debug, "{path} answered {status}: {reason} (trace {traceId})")]
    private partial void LogBadRequest(string path, int status, string reason, string traceId);

    [LoggerMessage(21, LogLevel.Error, "{path} failed (trace {traceId})")]
    private partial void LogFailed(Exception exception, string path, string traceId);
}
