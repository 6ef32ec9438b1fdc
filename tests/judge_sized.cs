// For tests/test_export_csharp.py: an export, then for each sized picture its file, x, y, width and height.
using System;
using System.Globalization;
using System.IO;
using System.Linq;

public static class JudgeSized
{
    public static int Main(string[] words)
    {
        try
        {
            using (var reader = new Reader(words[0]))
                for (int i = 1; i < words.Length; i += 5)
                    Say(reader, words[i], words.Skip(i + 1).Take(4).Select(int.Parse).ToArray());
            return 0;
        }
        catch (Exception error) when (error is InvalidDataException || error is NotSupportedException)
        {
            Console.Error.WriteLine(error.Message);
            return 2;
        }
    }

    private static void Say(Reader reader, string path, int[] shown)
    {
        Judged judged = reader.Judge(File.ReadAllBytes(path), shown[0], shown[1], shown[2], shown[3]);
        byte[] map = new byte[4 * judged.Map.Length];
        Buffer.BlockCopy(judged.Map, 0, map, 0, map.Length);
        File.WriteAllBytes(path + ".map", map);
        Console.WriteLine(judged.Verdict + " " + judged.Score.ToString("R", CultureInfo.InvariantCulture));
    }
}
