using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>The share of one response in the <see cref="ResponseBudget"/>. Used by the request's own flow only.</summary>
public sealed class ResponseReservation : IDisposable
{
    private readonly ResponseBudget _budget;
    private long _bytes;
    private bool _isDisposed;

    internal ResponseReservation(ResponseBudget budget, long bytes) => (_budget, _bytes) = (budget, bytes);

    /// <summary>The bytes that it holds.</summary>
    public long Bytes => _bytes;

    /// <summary>Takes more bytes, or gives surplus ones back, when the length of the response is known.</summary>
    /// <returns>Whether the budget had room. If not, nothing has changed.</returns>
    public bool TryResize(long bytes)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        long more = bytes - _bytes;
        if (more > 0 && !_budget.TryTake(more, held: _bytes)) return false;
        if (more < 0) _budget.Return(-more);
        _bytes = bytes;
        return true;
    }

    /// <summary>
    /// Writes the response's body in pieces and gives its bytes back. A client that is too slow is disconnected. The
    /// request's own body is released first, if it is still held.
    /// </summary>
    public async Task SendAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Features.Get<IBufferedBodyFeature>()?.Release();
        using (this) await _budget.Pace(context).WriteAsync(body, context.RequestAborted);
    }

    /// <summary>The same for a response that writes itself.</summary>
    internal async Task SendAsync(HttpContext context, IResult result)
    {
        context.Features.Get<IBufferedBodyFeature>()?.Release();
        Stream body = context.Response.Body;
        using (this)
        {
            context.Response.Body = _budget.Pace(context);
            try
            {
                await result.ExecuteAsync(context);
            }
            finally
            {
                context.Response.Body = body;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        _budget.Return(_bytes);
    }
}
