using Microsoft.AspNetCore.Http.Features;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// A request's lifetime as the app sees it. It tells three things apart that share one property, <c>RequestAborted</c>: the client's
/// departure, a token that middleware puts in its place (a request timeout does), and the token of the work on the pool.
/// </summary>
/// <remarks>
/// <code>
///   outside the pool:  what middleware has set, or else the server's
///   in the pool:       what was set since, or else the work's own token; once only a short answer is left, as outside
/// </code>
/// One for each request, made before any other middleware runs. Of the request's own flow.
/// </remarks>
internal sealed class RequestLifetime(IHttpRequestLifetimeFeature? server, OpenRequests.Epoch? counted = null) : IHttpRequestLifetimeFeature
{
    private CancellationToken? _set;
    private CancellationToken? _setBefore; // as _set was when the request came to the pool
    private PoolRequest? _request; // while the request is in the pool's hands
    private bool _isEndTaken;
    private OpenRequests.Epoch? _counted = counted;

    /// <summary>Cancelled when the client leaves, and for no other reason.</summary>
    public CancellationToken Departure => server?.RequestAborted ?? CancellationToken.None;

    /// <summary>What the middleware around the pool sees, and what the work is cancelled by.</summary>
    public CancellationToken Outer => (_request is null ? _set : _setBefore) ?? Departure;

    CancellationToken IHttpRequestLifetimeFeature.RequestAborted
    {
        get => _set ?? _request?.WorkToken ?? Outer;
        set => _set = value;
    }

    /// <summary>From here on the work's token is seen.</summary>
    public void Enter(PoolRequest request)
    {
        (_setBefore, _set) = (_set, null);
        _request = request;
        _isEndTaken = false;
    }

    /// <summary>
    /// Whether the caller is the one that ends the request: who waits for its answer, or who runs its work. Asked here, since
    /// the <see cref="PoolRequest"/> may serve another request when the one that has not ended it asks.
    /// </summary>
    public bool TryTakeEnd() => !Interlocked.Exchange(ref _isEndTaken, true);

    /// <summary>From here on the outer one is seen again.</summary>
    public void Leave()
    {
        (_set, _setBefore) = (_setBefore, null);
        _request = null;
    }

    /// <summary>From here on a stop does not wait for the request. Once is enough.</summary>
    public void StopCounting() => Interlocked.Exchange(ref _counted, null)?.Exit();

    void IHttpRequestLifetimeFeature.Abort() => server?.Abort();
}
