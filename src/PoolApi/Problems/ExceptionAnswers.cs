using Microsoft.AspNetCore.Diagnostics;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.Problems;

/// <summary>Turns exceptions into problem details. What the exception says goes to the log, never to the client.</summary>
internal sealed partial class ExceptionAnswers(ILogger<ExceptionAnswers> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.RequestAborted.IsCancellationRequested)
        {
            // Nobody is left to answer.
            httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return true;
        }

        int status;
        string? name = null;
        if (exception is BadHttpRequestException bad)
        {
            status = bad.StatusCode;
            LogBadRequest(httpContext.Request.Path, status, bad.Message);
        }
        else
        {
            status = StatusCodes.Status500InternalServerError;
            bool work = (httpContext.GetEndpoint() ?? httpContext.Features.Get<IExceptionHandlerFeature>()?.Endpoint)
                ?.Metadata.GetMetadata<RunOnPoolMetadata>() is not null;
            if (work) name = "work-failed";
            LogFailed(exception, httpContext.Request.Path);
        }
        await Problem.Of(httpContext, status, name: name).ExecuteAsync(httpContext);
        return true;
    }

    [LoggerMessage(20, LogLevel.Information, "{path} answered {status}: {reason}")]
    private partial void LogBadRequest(string path, int status, string reason);

    [LoggerMessage(21, LogLevel.Error, "{path} failed")]
    private partial void LogFailed(Exception exception, string path);
}
