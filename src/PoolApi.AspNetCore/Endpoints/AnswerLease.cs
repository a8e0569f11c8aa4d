using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>What one answer has of the <see cref="AnswerBudget"/>. Of the request's own flow.</summary>
public sealed class AnswerLease : IDisposable
{
    private readonly AnswerBudget _budget;
    private long _bytes;
    private bool _isDisposed;

    internal AnswerLease(AnswerBudget budget, long bytes) => (_budget, _bytes) = (budget, bytes);

    /// <summary>How many bytes it has taken.</summary>
    public long Bytes => _bytes;

    /// <summary>Takes more, or gives back what is too much, now that the answer's length is known.</summary>
    /// <returns>Whether there was room; if not, nothing has changed.</returns>
    public bool TryResize(long bytes)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        long more = bytes - _bytes;
        if (more > 0 && !_budget.TryTake(more)) return false;
        if (more < 0) _budget.Return(-more);
        _bytes = bytes;
        return true;
    }

    /// <summary>
    /// Writes the answer's body piece by piece, and gives its bytes back. A client that is too slow is cut off. The
    /// request's own body, if it is still held, is given up before.
    /// </summary>
    public async Task SendAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Features.Get<IBufferedBodyFeature>()?.Release();
        using (this) await _budget.Pace(context).WriteAsync(body, context.RequestAborted);
    }

    /// <summary>The same for an answer that writes itself.</summary>
    internal async Task SendAsync(HttpContext context, IResult answer)
    {
        context.Features.Get<IBufferedBodyFeature>()?.Release();
        Stream body = context.Response.Body;
        using (this)
        {
            context.Response.Body = _budget.Pace(context);
            try
            {
                await answer.ExecuteAsync(context);
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
