using Microsoft.AspNetCore.Http.Features;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The lifetime feature of a request. It distinguishes three tokens that share one property, <c>RequestAborted</c>: the client's
/// disconnect, a token that middleware sets instead (such as a request timeout), and the token of the work on the pool.
/// </summary>
/// <remarks>
/// <code>
///   outside the pool:  the token that middleware has set, or else the server's
///   in the pool:       the token that was set since, or else the work's own; when only a short response is left, as outside,
///                      and for work that was accepted before, none: filters that continue after the handler see no cancellation either
/// </code>
/// One for each request, created before any other middleware runs. Used by the request's own flow only, except <see cref="TryTakeFinish"/> and
/// <see cref="StopCounting"/>.
/// </remarks>
internal sealed class RequestLifetime(IHttpRequestLifetimeFeature? server, OpenRequests.Epoch? counted = null) : IHttpRequestLifetimeFeature
{
    private CancellationToken? _departure; // null: the request has not entered a pool
    private CancellationToken? _set;
    private CancellationToken? _setBefore; // the value of _set when the request entered the pool
    private PoolRequest? _request; // not null while the request is in the pool's stages
    private bool _isFinishTaken;
    private OpenRequests.Epoch? _counted = counted;

    /// <summary>Cancelled only when the client disconnects.</summary>
    public CancellationToken Departure => _departure ?? server?.RequestAborted ?? CancellationToken.None;

    /// <summary>The token that the middleware around the pool sees, and that cancels the work.</summary>
    public CancellationToken Outer => (_request is null ? _set : _setBefore) ?? Departure;

    /// <summary>
    /// Work that was accepted before has completed, and its whole result is kept, also if it was cancelled meanwhile: no token is visible then. The
    /// framework would end a JSON response silently at a cancelled one, and abort a response of bytes.
    /// </summary>
    public bool IsResultWhole { get; set; }

    CancellationToken IHttpRequestLifetimeFeature.RequestAborted
    {
        get => _set ?? (IsResultWhole ? CancellationToken.None : _request?.WorkToken ?? Outer);
        set => _set = value;
    }

    /// <summary>The pool's request of this context, also after its end; <see langword="null"/>: it has not come to a pool.</summary>
    public PoolRequest? Request { get; set; }

    /// <summary>Makes the work's token visible.</summary>
    public void Enter(PoolRequest request)
    {
        _departure = Departure; // kept, because the server takes a lock at each read
        Request = request;
        (_setBefore, _set) = (_set, null);
        _request = request;
        _isFinishTaken = false;
    }

    /// <summary>
    /// Decides which of two callers ends the request: the code that waits for its response, or the code that runs its work. Returns true to the first
    /// caller. The <see cref="PoolRequest"/> cannot decide, because it may already be reused at the second call.
    /// </summary>
    public bool TryTakeFinish() => !Interlocked.Exchange(ref _isFinishTaken, true);

    /// <summary>Makes the outer token visible again.</summary>
    public void Leave()
    {
        (_set, _setBefore) = (_setBefore, null);
        _request = null;
    }

    /// <summary>Uncounts the request, so that a stop does not wait for it. A second call does nothing.</summary>
    public void StopCounting() => Interlocked.Exchange(ref _counted, null)?.Exit();

    void IHttpRequestLifetimeFeature.Abort() => server?.Abort();
}
