using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// A result that was executed on the pool: its status and headers are already in the response, and its body is here, to be
/// written off the pool.
/// </summary>
internal sealed class BufferedResult : IResult, IDisposable
{
    private readonly ReadOnlyMemory<byte> _body;
    private readonly ResponseReservation? _reservation; // null: the response is small, or has no budget

    private BufferedResult(ResponseBuffer body) => (_body, _reservation) = (body.Bytes, body.TakeReservation());

    /// <summary>Whether its bytes count against the budget until the client has read them.</summary>
    public bool IsLong => _reservation is not null;

    /// <summary>Executes the result of a minimal API's handler as the framework would, but into memory. Called on the pool.</summary>
    /// <param name="context">The request.</param>
    /// <param name="result">The handler's result.</param>
    /// <param name="pool">The pool that refuses the response if the budget has no room for it; <see langword="null"/>: there is no budget.</param>
    public static async ValueTask<object?> ExecuteAsync(HttpContext context, object? result, PoolContext? pool)
    {
        if (result is null || ReferenceEquals(result, Results.Empty)) return result;
        // A result that executes itself may end silently when it is cancelled, as the framework's JSON does. A value that is written here does not.
        CancellationToken cancellation = WrappedResult.Unwrap(result) is IResult executable && !StreamedResult.IsShort(executable)
            ? context.RequestAborted
            : CancellationToken.None;
        using var body = new ResponseBuffer(context, pool?.Responses, cancellation);
        // A context of its own: a filter that has given the handler up writes to the request's context meanwhile.
        _ = (context.RequestServices, context.Items); // the first read creates them, in the context that is read
        HttpContext own = WithBody(context, new StreamResponseBodyFeature(body));
        return await FillAsync(body, own, context => WriteAsync(context, result, isCutSilently: false), pool, cancellation);
    }

    /// <summary>The same for code that writes a response itself. It may be any code, so it has the request's own context.</summary>
    public static async ValueTask<object?> ExecuteAsync(HttpContext context, RequestDelegate write, PoolContext? pool)
    {
        CancellationToken cancellation = context.RequestAborted;
        using var body = new ResponseBuffer(context, pool?.Responses, cancellation);
        IHttpResponseBodyFeature response = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        _ = context.RequestServices; // the first read creates them, which two flows must not do at once
        context.Features.Set(new ServerBody(response));
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(body));
        try
        {
            return await FillAsync(body, context, write, pool, cancellation);
        }
        finally
        {
            context.Features.Set(response);
            context.Features.Set<ServerBody>(null);
        }
    }

    /// <summary>The context in which a response reaches the client, also while a worker executes the request into memory.</summary>
    /// <param name="context">The request. The worker may still use it.</param>
    public static HttpContext Unbuffered(HttpContext context) =>
        context.Features.Get<ServerBody>() is { } server ? WithBody(context, server.Body) : context;

    private static async ValueTask<object?> FillAsync(
        ResponseBuffer body, HttpContext context, RequestDelegate write, PoolContext? pool, CancellationToken cancellation)
    {
        try
        {
            await write(context);
            cancellation.ThrowIfCancellationRequested(); // the body may be cut
            await context.Response.BodyWriter.FlushAsync(cancellation);
            // Code of the app may have caught the exception of a write.
            return body.IsFull ? Rejection.ResponsesFull(pool!) : new BufferedResult(body);
        }
        catch (Exception) when (body.IsFull)
        {
            return Rejection.ResponsesFull(pool!);
        }
    }

    private static DefaultHttpContext WithBody(HttpContext context, IHttpResponseBodyFeature body)
    {
        var features = new FeatureCollection(context.Features);
        features.Set(body);
        return new DefaultHttpContext(features);
    }

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        if (_body.Length == 0) return;
        httpContext.Response.ContentLength ??= _body.Length;
        if (_reservation is null) await httpContext.Response.Body.WriteAsync(_body, httpContext.RequestAborted);
        else await _reservation.SendAsync(httpContext, _body);
    }

    /// <summary>
    /// Gives the bytes back if no response uses the result. Otherwise they are given back when the response is sent, or at the request's
    /// end.
    /// </summary>
    public void Dispose() => _reservation?.Dispose();

    /// <summary>Writes a result as the framework would.</summary>
    /// <param name="context">The request.</param>
    /// <param name="result">The result.</param>
    /// <param name="isCutSilently">Whether JSON of a value ends without an exception when it is cancelled, as the framework's does.</param>
    public static Task WriteAsync(HttpContext context, object result, bool isCutSilently = true)
    {
        switch (result)
        {
            case IResult executable:
                return executable.ExecuteAsync(context);
            case string text:
                context.Response.ContentType ??= "text/plain; charset=utf-8";
                return context.Response.WriteAsync(text);
            default:
                var json = context.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
                var type = (System.Text.Json.Serialization.Metadata.JsonTypeInfo<object>)json.GetTypeInfo(typeof(object));
                return context.Response.WriteAsJsonAsync(result, type, cancellationToken: isCutSilently ? CancellationToken.None : context.RequestAborted);
        }
    }

    /// <summary>The body of the server's response, while that of the context is in memory.</summary>
    private sealed record ServerBody(IHttpResponseBodyFeature Body);
}
