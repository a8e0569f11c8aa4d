using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Avif;

/// <summary>One box of an ISO media file: a type of four letters and what it holds.</summary>
internal readonly ref struct IsoBox
{
    private IsoBox(ReadOnlySpan<byte> type, ReadOnlySpan<byte> content)
    {
        Type = type;
        Content = content;
    }

    public ReadOnlySpan<byte> Type { get; }

    public ReadOnlySpan<byte> Content { get; }

    /// <summary>Takes the first box off a run of boxes; false where there is no whole one. The last may end before its length says.</summary>
    public static bool TryTake(scoped ref ReadOnlySpan<byte> boxes, out IsoBox box)
    {
        box = default;
        if (boxes.Length < 8)
            return false;

        ulong length = BinaryPrimitives.ReadUInt32BigEndian(boxes);
        var header = 8;
        if (length == 1 && boxes.Length >= 16)
        {
            length = BinaryPrimitives.ReadUInt64BigEndian(boxes[8..]);
            header = 16;
        }
        else if (length == 0)
        {
            length = (ulong)boxes.Length;
        }

        if (length < (ulong)header)
            return false;
        var end = (int)Math.Min(length, (ulong)boxes.Length);
        box = new IsoBox(boxes.Slice(4, 4), boxes[header..end]);
        boxes = boxes[end..];
        return true;
    }

    /// <summary>The content of the first box of a type; empty where there is none.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> boxes, ReadOnlySpan<byte> type)
    {
        while (TryTake(ref boxes, out var box))
        {
            if (box.Type.SequenceEqual(type))
                return box.Content;
        }
        return default;
    }
}
