namespace PoolApi.Threading.Tests.Interleaving;

/// <content>Apart, because the kernel alone knows nothing of an item's body.</content>
internal sealed partial class ScheduledItem
{
    protected override void Execute() { } // the scenarios' workers call Body
}
