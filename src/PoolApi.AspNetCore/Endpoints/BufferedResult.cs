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
        return await ExecuteAsync(context, context => WriteAsync(context, result), pool);
    }

    /// <summary>The same for code that writes a response itself.</summary>
    public static async ValueTask<object?> ExecuteAsync(HttpContext context, RequestDelegate write, PoolContext? pool)
    {
        using var body = new ResponseBuffer(context, pool?.Responses);
        IHttpResponseBodyFeature response = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(body));
        try
        {
            await write(context);
            await context.Response.BodyWriter.FlushAsync();
            // Code of the app may have caught the exception of a write.
            return body.IsFull ? Rejection.ResponsesFull(pool!) : new BufferedResult(body);
        }
        catch (Exception) when (body.IsFull)
        {
            return Rejection.ResponsesFull(pool!);
        }
        finally
        {
            context.Features.Set(response);
        }
    }

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        if (_body.Length == 0) return;
        httpContext.Response.ContentLength ??= _body.Length;
        if (_reservation is null) await httpContext.Response.Body.WriteAsync(_body, httpContext.RequestAborted);
        else await _reservation.SendAsync(httpContext, _body);
    }

    /// <summary>Gives the bytes back if no response uses the result. Else they are given back when it is sent, or at the request's end.</summary>
    public void Dispose() => _reservation?.Dispose();

    /// <summary>Writes it as the framework would.</summary>
    public static Task WriteAsync(HttpContext context, object result)
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
                return context.Response.WriteAsJsonAsync(result, (System.Text.Json.Serialization.Metadata.JsonTypeInfo<object>)json.GetTypeInfo(typeof(object)));
        }
    }
}
