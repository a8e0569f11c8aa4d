using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace PoolApi.Jobs.Tests.Postgres.Faults;

/// <summary>
/// A proxy between a store and its database. After a cut it forwards nothing and closes no connection, as a network does that drops all
/// packets.
/// </summary>
internal sealed class CutOff : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly ConcurrentBag<Task> _pumps = [];
    private readonly Task _accepting;
    private readonly Gate _answers = new();
    private Gate _gate = new();

    /// <summary>The limit of bytes per second from the database, on all connections together; 0: no limit.</summary>
    public int BytesPerSecond { get; set; }

    /// <summary>The number of bytes from the database so far, on all connections together.</summary>
    public long BytesFromServer => Volatile.Read(ref _bytesFromServer);

    private readonly SemaphoreSlim _pace = new(1);
    private long _bytesFromServer;

    public CutOff(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Stops forwarding in both directions.</summary>
    public void Cut() => _gate.Close();

    /// <summary>Stops forwarding from the database, which still receives and executes statements.</summary>
    public void CutAnswers() => _answers.Close();

    /// <summary>
    /// Stops forwarding on the open connections, but not on new ones. Data that is sent meanwhile is forwarded when the gate is
    /// opened, even if its connection has been closed since.
    /// </summary>
    /// <returns>Opens the gate of these connections when it is disposed of.</returns>
    public IDisposable CutWhatIsOpen()
    {
        Gate old = _gate;
        _gate = new Gate();
        old.Close();
        return old;
    }

    public void Mend()
    {
        _gate.Dispose();
        _answers.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        Mend();
        _listener.Stop();
        await _accepting;
        foreach (Socket socket in _sockets) socket.Dispose();
        await Task.WhenAll(_pumps);
        _pace.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptSocketAsync();
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                if (BytesPerSecond > 0) server.ReceiveBufferSize = 64 * 1024; // the kernel's larger buffer would hide the slow link
                client.NoDelay = true;
                _sockets.Add(client);
                _sockets.Add(server);
                await server.ConnectAsync(IPAddress.Loopback, _target);
                Gate gate = _gate;
                _pumps.Add(PumpAsync(client, server, gate, isPaced: false));
                _pumps.Add(PumpAsync(server, client, gate, isPaced: true));
            }
        }
        catch (Exception e) when (e is SocketException or InvalidOperationException)
        {
            // The listener was stopped, during the wait for a client or before it.
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Gate gate, bool isPaced)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            int count;
            while ((count = await from.ReceiveAsync(buffer)) > 0)
            {
                await gate.OpenAsync();
                if (isPaced) await _answers.OpenAsync();
                if (isPaced) Interlocked.Add(ref _bytesFromServer, count);
                if (isPaced && BytesPerSecond > 0) await PaceAsync(count);
                for (int sent = 0; sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
            }
            await gate.OpenAsync();
            to.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            to.Dispose();
        }
        catch (ObjectDisposedException)
        {
            // The connection is closed.
        }
    }

    private async Task PaceAsync(int count)
    {
        await _pace.WaitAsync();
        try
        {
            await Task.Delay(TimeSpan.FromSeconds((double)count / BytesPerSecond)); // the slowness of the link
        }
        finally
        {
            _pace.Release();
        }
    }

    private sealed class Gate : IDisposable
    {
        private TaskCompletionSource _open = new();

        public Gate() => _open.SetResult();

        public void Close() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task OpenAsync() => _open.Task;

        public void Dispose() => _open.TrySetResult();
    }
}
