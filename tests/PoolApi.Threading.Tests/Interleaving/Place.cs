using System.Runtime.CompilerServices;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>The target of a store: a pinned word, or a field of an item. A collection may move an item, so a field is known by its offset.</summary>
/// <param name="item">The item; null: the word is pinned.</param>
/// <param name="offset">The address of a pinned word, or the offset of a field from the item's first field.</param>
internal readonly unsafe struct Place(PoolWorkItem? item, nint offset)
{
    // The runtime's size of the object, without its header and the pointer to its type.
    private static readonly nint FieldsOfItem = ((int*)typeof(ScheduledItem).TypeHandle.Value)[1] - (2 * sizeof(nint));

    public PoolWorkItem? Item { get; } = item;

    public nint Offset { get; } = offset;

    /// <summary>The place as a field of one of the items; null if it is no such field.</summary>
    public static Place? InOneOf<T>(IReadOnlyList<PoolWorkItem> items, ref T place)
    {
        for (int i = 0; i < items.Count; i++)
        {
            nint offset = Unsafe.ByteOffset(ref FirstOf(items[i]), ref Unsafe.As<T, byte>(ref place));
            if (offset >= 0 && offset < FieldsOfItem) return new Place(items[i], offset);
        }
        return null;
    }

    public static Place Pinned(ref int word) => new(null, (nint)Unsafe.AsPointer(ref word));

    public ref int Word => ref (Item is null ? ref *(int*)Offset : ref Field<int>());

    public ref bool Flag => ref Field<bool>();

    public ref object? Reference => ref Field<object?>();

    private ref T Field<T>() => ref Unsafe.As<byte, T>(ref Unsafe.AddByteOffset(ref FirstOf(Item!), Offset));

    private static ref byte FirstOf(PoolWorkItem item) => ref Unsafe.As<StrongBox<byte>>(item).Value;
}
