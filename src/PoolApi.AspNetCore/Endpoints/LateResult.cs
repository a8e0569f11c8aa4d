using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Disposes of the result of a handler whose request was already answered without it, since no code writes that result.</summary>
/// <remarks>It disposes of the result itself, and of the stream of a file result, which writing would have closed. It does not dispose of a result's value, which the app may share.</remarks>
internal static partial class LateResult
{
    /// <summary>Disposes of the result, if it is disposable. Never fails: exceptions are logged.</summary>
    [SuppressMessage("Reliability", "CA2012", Justification = "Awaited once, by the switch.")]
    public static async ValueTask DisposeAsync(object? result, HttpContext context)
    {
        try
        {
            switch (result)
            {
                case IAsyncDisposable asynchronous:
                    await asynchronous.DisposeAsync();
                    break;
                case IDisposable disposable:
                    disposable.Dispose();
                    break;
                case FileStreamHttpResult file:
                    await file.FileStream.DisposeAsync();
                    break;
                case FileStreamResult file:
                    await file.FileStream.DisposeAsync();
                    break;
                default:
                    object? inner = WrappedResult.Unwrap(result);
                    if (!ReferenceEquals(inner, result)) await DisposeAsync(inner, context);
                    break;
            }
        }
        catch (Exception e)
        {
            if (context.RequestServices.GetService<ILoggerFactory>() is { } loggers) Failed(loggers.CreateLogger(typeof(LateResult).FullName!), e, context.GetEndpoint()?.DisplayName);
        }
    }

    [LoggerMessage(17, LogLevel.Error, "The result that the handler of {Endpoint} returned after its limit could not be disposed of")]
    private static partial void Failed(ILogger logger, Exception exception, string? endpoint);
}
