using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The response as a handler sees it whose run time is limited: its own until its first byte. So the request can be answered while the
/// handler still runs, and nothing that the handler does then reaches the client.
/// </summary>
/// <remarks>
/// <code>
///   Own ──the handler writes, or ends──► Passed: it is the server's, with what the handler set
///    └──────── the limit is over ──────► Detached ──the problem is sent──► Answered
/// </code>
/// <para>A status or a header that a detached handler sets goes nowhere, and a body that it writes is refused with an
/// <see cref="OperationCanceledException"/>. The flow that answers sees the server's response (<see cref="IsAnswering"/>), and so does
/// everything that runs as that starts.</para>
/// <para>The server uses a connection's context again for its next request. So the request stays open until the handler has returned,
/// its answer being complete: see <see cref="PoolRequest"/>.</para>
/// </remarks>
#pragma warning disable CA1001 // its stream has nothing to dispose of
internal sealed class HandlerResponse : IHttpResponseFeature, IHttpResponseBodyFeature
#pragma warning restore CA1001
{
    private static readonly AsyncLocal<HandlerResponse?> Answering = new();

    private readonly IHttpResponseFeature _server;
    private readonly IHttpResponseBodyFeature _serverBody;
    private readonly Lock _lock = new(); // of the step out of Own
    private readonly GuardedStream _stream; // the handler's
    private volatile State _state;
    private PipeWriter? _writer;
    private int _statusCode;
    private string? _reasonPhrase;
    private IHeaderDictionary _headers;

    private HandlerResponse(IHttpResponseFeature server, IHttpResponseBodyFeature serverBody)
    {
        (_server, _serverBody) = (server, serverBody);
        (_statusCode, _reasonPhrase, _headers) = (server.StatusCode, server.ReasonPhrase, Copy(server.Headers));
        _stream = new GuardedStream(this, isWriters: false);
    }

    private enum State
    {
        Own,
        Passed,
        Detached,
        Answered,
    }

    /// <summary>Whether the request was answered, or is being answered, in the handler's place.</summary>
    public bool IsDetached => _state >= State.Detached;

    /// <summary>Whether the calling flow is the one that answers in the handler's place.</summary>
    public bool IsAnswering => ReferenceEquals(Answering.Value, this);

    private bool IsServers => _state == State.Passed || IsAnswering;

    /// <summary>Before the handler runs: from here on the context shows this.</summary>
    public static HandlerResponse Attach(HttpContext context)
    {
        IFeatureCollection features = context.Features;
        var response = new HandlerResponse(features.GetRequiredFeature<IHttpResponseFeature>(), features.GetRequiredFeature<IHttpResponseBodyFeature>());
        _ = context.RequestServices; // made when first asked for, which is not safe from two flows
        features.Set<IHttpResponseFeature>(response);
        features.Set<IHttpResponseBodyFeature>(response);
        HandlerUpgrades.Attach(features, response.Pass);
        return response;
    }

    /// <summary>The handler has ended, or never ran: the context shows the server's response again, with what the handler set.</summary>
    /// <param name="context">The request.</param>
    /// <param name="isWhole">Whether what the handler has written and not flushed is part of its answer.</param>
    public async ValueTask PassAsync(HttpContext context, bool isWhole)
    {
        if (isWhole && _writer is { UnflushedBytes: > 0 }) await _writer.FlushAsync();
        Pass();
        // What the handler has put in their place stays there, and leads through here.
        if (ReferenceEquals(context.Features.Get<IHttpResponseFeature>(), this)) context.Features.Set(_server);
        if (ReferenceEquals(context.Features.Get<IHttpResponseBodyFeature>(), this)) context.Features.Set(_serverBody);
    }

    /// <summary>From here on nothing that the handler does reaches the client.</summary>
    /// <returns>False: the handler has begun with its answer.</returns>
    public bool TryDetach()
    {
        lock (_lock)
        {
            // Past this object a response begins too: an endpoint filter before the handler's may have done it.
            if (_state != State.Own || _server.HasStarted) return false;
            _state = State.Detached;
            return true;
        }
    }

    /// <summary>Sends an answer in the handler's place, the whole of it.</summary>
    /// <param name="context">The request, which the handler has.</param>
    /// <param name="write">Writes the answer, to a context that has the server's response, whatever the handler has put in its place.</param>
    public async Task AnswerAsync(HttpContext context, Func<HttpContext, Task> write)
    {
        var features = new FeatureCollection(context.Features);
        features.Set(_server);
        features.Set(_serverBody);
        // Not the handler's own, which it uses meanwhile.
        await using AsyncServiceScope scope = context.RequestServices.GetRequiredService<IServiceScopeFactory>().CreateAsyncScope();
        features.Set<IServiceProvidersFeature>(new ServiceProvidersFeature { RequestServices = scope.ServiceProvider });
        features.Set<IItemsFeature>(new ItemsFeature());
        Answering.Value = this; // until this method's end
        try
        {
            await write(new DefaultHttpContext(features));
            await _serverBody.CompleteAsync();
        }
        finally
        {
            _headers = Copy(_server.Headers);
            _state = State.Answered;
        }
    }

    int IHttpResponseFeature.StatusCode
    {
        get => IsServers || _state == State.Answered ? _server.StatusCode : _statusCode;
        set
        {
            if (IsServers) _server.StatusCode = value;
            else _statusCode = value;
        }
    }

    string? IHttpResponseFeature.ReasonPhrase
    {
        get => IsServers ? _server.ReasonPhrase : _reasonPhrase;
        set
        {
            if (IsServers) _server.ReasonPhrase = value;
            else _reasonPhrase = value;
        }
    }

    IHeaderDictionary IHttpResponseFeature.Headers
    {
        get => IsServers ? _server.Headers : _headers;
        set
        {
            if (IsServers) _server.Headers = value;
            else _headers = value;
        }
    }

    bool IHttpResponseFeature.HasStarted => (IsDetached && !IsAnswering) || _server.HasStarted;

    [Obsolete("As the interface has it.")]
    Stream IHttpResponseFeature.Body
    {
        get => _stream;
        set => throw new NotSupportedException("Set the feature IHttpResponseBodyFeature instead.");
    }

    void IHttpResponseFeature.OnStarting(Func<object, Task> callback, object state)
    {
        ThrowIfDetached();
        _server.OnStarting(callback, state);
    }

    void IHttpResponseFeature.OnCompleted(Func<object, Task> callback, object state) => _server.OnCompleted(callback, state);

    Stream IHttpResponseBodyFeature.Stream => IsAnswering ? _serverBody.Stream : _stream;

    PipeWriter IHttpResponseBodyFeature.Writer =>
        IsAnswering ? _serverBody.Writer : _writer ??= PipeWriter.Create(new GuardedStream(this, isWriters: true), new StreamPipeWriterOptions(leaveOpen: true));

    /// <summary>Whether the handler has written by its writer what was not sent yet. It comes before what the handler sends by another way.</summary>
    private bool HasUnflushed => _writer is { UnflushedBytes: > 0 } && !IsAnswering;

    void IHttpResponseBodyFeature.DisableBuffering()
    {
        if (!IsDetached || IsAnswering) _serverBody.DisableBuffering();
    }

    async Task IHttpResponseBodyFeature.StartAsync(CancellationToken cancellationToken)
    {
        await FlushWriterAsync(cancellationToken);
        Pass();
        await _serverBody.StartAsync(cancellationToken);
    }

    async Task IHttpResponseBodyFeature.SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken)
    {
        await FlushWriterAsync(cancellationToken);
        Pass();
        await _serverBody.SendFileAsync(path, offset, count, cancellationToken);
    }

    async Task IHttpResponseBodyFeature.CompleteAsync()
    {
        if (IsDetached && !IsAnswering) return; // it is complete, or about to be
        await FlushWriterAsync(CancellationToken.None);
        Pass();
        await _serverBody.CompleteAsync();
    }

    private async ValueTask FlushWriterAsync(CancellationToken cancellationToken)
    {
        if (HasUnflushed) await _writer!.FlushAsync(cancellationToken);
    }

    private static HeaderDictionary Copy(IHeaderDictionary headers)
    {
        var copy = new HeaderDictionary(headers.Count);
        foreach (var (name, value) in headers) copy[name] = value;
        return copy;
    }

    /// <summary>What the handler has set becomes the server's.</summary>
    /// <exception cref="OperationCanceledException">The request was answered in the handler's place.</exception>
    private void Pass()
    {
        if (IsServers) return;
        lock (_lock)
        {
            ThrowIfDetached();
            if (_state == State.Passed) return;
            if (!_server.HasStarted)
            {
                (_server.StatusCode, _server.ReasonPhrase) = (_statusCode, _reasonPhrase);
                IHeaderDictionary headers = _server.Headers;
                headers.Clear();
                foreach (var (name, value) in _headers) headers[name] = value;
            }
            _state = State.Passed;
        }
    }

    private void ThrowIfDetached()
    {
        if (IsDetached && !IsAnswering) throw new OperationCanceledException("The handler ran for longer than it may: the request has been answered.");
    }

    /// <summary>The handler's way to the server's body: the stream that it sees, or the one that its writer writes to.</summary>
    private sealed class GuardedStream(HandlerResponse response, bool isWriters) : WriteOnlyStream
    {
        private bool WaitsForWriter => !isWriters && response.HasUnflushed;

        public override void Flush()
        {
            // A writer cannot be flushed without awaiting. What it holds is sent by the next asynchronous step, and at the latest at the end.
            if (!WaitsForWriter) Servers().Flush();
        }

        public override async Task FlushAsync(CancellationToken cancellationToken)
        {
            if (WaitsForWriter) await response.FlushWriterAsync(cancellationToken);
            await Servers().FlushAsync(cancellationToken);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (WaitsForWriter) response._writer!.Write(buffer);
            else Servers().Write(buffer);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            WaitsForWriter ? WriteAfterWriterAsync(buffer, cancellationToken) : Servers().WriteAsync(buffer, cancellationToken);

        private async ValueTask WriteAfterWriterAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
        {
            await response.FlushWriterAsync(cancellationToken);
            await Servers().WriteAsync(buffer, cancellationToken);
        }

        private Stream Servers()
        {
            response.Pass();
            return response._serverBody.Stream;
        }
    }
}
