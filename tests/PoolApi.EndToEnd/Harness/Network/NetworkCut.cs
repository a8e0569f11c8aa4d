using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness.Network;

/// <summary>A cut of the network: the kernel drops packets and reports no error to either side. Disposing ends the cut.</summary>
/// <remarks>The rules have no state: packets of connections that are open already are dropped too.</remarks>
internal sealed class NetworkCut : IAsyncDisposable
{
    private readonly string _iptables = Tool.Require("iptables", "apt-get install iptables");
    private readonly List<string[]> _dropped = [];

    private NetworkCut()
    {
    }

    /// <summary>Drops packets from now on.</summary>
    /// <param name="packets">The packets, as lists of iptables arguments. A packet that matches any of these lists is dropped.</param>
    public static async Task<NetworkCut> MakeAsync(params string[][] packets)
    {
        var cut = new NetworkCut();
        try
        {
            foreach (string[] matching in packets)
                await cut.DropAsync(matching);
            return cut;
        }
        catch
        {
            await cut.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        foreach (string[] packets in _dropped)
            await RunAsync("-D", packets);
        _dropped.Clear();
    }

    private async Task DropAsync(string[] packets)
    {
        _dropped.Add(packets); // before the run, because a run that times out may have added the rule
        var run = await RunAsync("-I", packets);
        if (run.ExitCode != 0)
            Tool.Missing("The right to cut a network", "run as root; iptables reports: " + run.Text);
    }

    private Task<ProgramRun> RunAsync(string action, string[] packets) =>
        ProgramRun.ToEndAsync(new ProcessStartInfo(_iptables, ["-w", action, "INPUT", .. packets, "-j", "DROP"]), Patience.Long);
}
