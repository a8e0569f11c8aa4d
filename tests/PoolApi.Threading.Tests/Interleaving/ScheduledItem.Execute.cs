namespace PoolApi.Threading.Tests.Interleaving;

/// <content>In a file of its own, because the kernel that PatchedKernel compiles has no Execute.</content>
internal sealed partial class ScheduledItem
{
    protected override void Execute() { } // the scenarios' workers call Body
}
